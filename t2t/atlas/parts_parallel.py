"""Parallel patterns combined from parts: of ``<a|b>`` the same one is drawn on both sides, group by group in order."""

from __future__ import annotations

PARALLEL = {
    "zh": (
        "<She|They|My brother|The doctor> flew from {city} to {city:b}.\t"
        "<她|他们|我哥哥|那位医生>从{city}飞到{city:b}。",
        "<She|They|My brother> flew from {city} to {country}.\t<她|他们|我哥哥>从{city}飞到{country}。",
        "He flew from {city} to {city:b}.\t他从{city}飞到{city:b}。",
        "<He|She|My father> <went|drove|came|walked> from {city} to {country}.\t"
        "<他|她|我父亲>从{city}<去了|开车到|来到|走到>{country}。",
        "<Some|Few|Many> <people|families> in {city} <speak|understand|read|love> {language}.\t"
        "{city}有<一些|少数|许多><人|家庭><说|懂|读|热爱>{language}。",
        "<Children|Students|Teachers|Doctors> in {city} <learn|study|speak> {language}.\t"
        "{city}的<孩子|学生|老师|医生><学|研究|说>{language}。",
        "Many <children|students|workers> in {country} learn {language}.\t"
        "{country}有许多<孩子|学生|工人>学{language}。",
        "<Some|Few> people in {city} learn {language}.\t{city}有<一些|少数>人学{language}。",
        "<Shops|Hotels|Markets|Airports> in {country} <sell|buy|accept> {currency}.\t"
        "{country}的<商店|酒店|市场|机场><出售|购买|接受>{currency}。",
        "Banks in {country} <buy|accept|lend> {currency}.\t{country}的银行<购买|接受|借出>{currency}。",
        "<He|She|My mother> <lives|works|studies> in {city} and speaks {language}.\t"
        "<他|她|我母亲>在{city}<居住|工作|学习>，会说{language}。",
        "{country} <exports|sells|sends> <rice|oil|tea|fish|salt> to {country:b}.\t"
        "{country}向{country:b}<出口|出售|运送><大米|石油|茶叶|鱼|盐>。",
        "<The bus|The ship|The plane> from {city} to {city:b} is <late|full|cheap|slow>.\t"
        "从{city}到{city:b}的<公共汽车|船|飞机><晚点了|满了|很便宜|很慢>。",
        "<I|We|They> <like|visited|left|love|know> {city} and {city:b}.\t"
        "<我|我们|他们><喜欢|参观了|离开了|热爱|了解>{city}和{city:b}。",
        "<This book|This letter|This song|This poem> is in {language}.\t<这本书|这封信|这首歌|这首诗>是{language}的。",
        "Does <he|she|your friend|the doctor> speak {language}?\t<他|她|你的朋友|那位医生>会说{language}吗？",
        "<He|She> <changed|lost|found> {currency} in {city}.\t<他|她>在{city}<兑换了|丢了|找到了>{currency}。",
    ),
    "de": (
        "<She|My brother|The doctor|Our teacher> flew from {city} to {city:b}.\t"
        "<Sie|Mein Bruder|Der Arzt|Unser Lehrer> flog von {city} nach {city:b}.",
        "<She|My brother|Our teacher> flew from {city} to {country}.\t"
        "<Sie|Mein Bruder|Unser Lehrer> flog von {city} nach {country}.",
        "He flew from {city} to {city:b}.\tEr flog von {city} nach {city:b}.",
        "<He|She|My father|My aunt> <drove|walked|came|moved> from {city} to {country}.\t"
        "<Er|Sie|Mein Vater|Meine Tante> <fuhr|lief|kam|zog> von {city} nach {country}.",
        "<Some|Few|Many> <children|students|workers> in {city} <learn|understand|read|write> {language}.\t"
        "<Einige|Wenige|Viele> <Kinder|Studenten|Arbeiter> in {city} <lernen|verstehen|lesen|schreiben> {language}.",
        "<Some|Few> people in {city} learn {language}.\t<Einige|Wenige> Menschen in {city} lernen {language}.",
        "Many people in {city} <speak|read|write> {language}.\t"
        "Viele Menschen in {city} <sprechen|lesen|schreiben> {language}.",
        "<She|Our uncle> <works|studies|waits> in {country} and <learns|reads|speaks> {language}.\t"
        "<Sie|Unser Onkel> <arbeitet|studiert|wartet> in {country} und <lernt|liest|spricht> {language}.",
        "<He|My sister|Our doctor> lives in {country} and speaks {language}.\t"
        "<Er|Meine Schwester|Unser Arzt> wohnt in {country} und spricht {language}.",
        "She lives in {country} and <learns|reads|writes> {language}.\t"
        "Sie wohnt in {country} und <lernt|liest|schreibt> {language}.",
        "<The bus|The ship|The plane> from {city} to {city:b} is <full|cheap|slow>.\t"
        "<Der Bus|Das Schiff|Das Flugzeug> von {city} nach {city:b} ist <voll|billig|langsam>.",
        "<Books|Songs|Poems|Newspapers> in {language} <come|disappear|help> in {country}.\t"
        "<Bücher|Lieder|Gedichte|Zeitungen> auf {language} <kommen|verschwinden|helfen> in {country}.",
        "<The winter|The summer|The morning|The music> in {city} and {city:b} is <long|short|beautiful>.\t"
        "<Der Winter|Der Sommer|Der Morgen|Die Musik> in {city} und {city:b} ist <lang|kurz|schön>.",
        "This <book|song|poem|word> is in {language}.\tDieses <Buch|Lied|Gedicht|Wort> ist auf {language}.",
        "Does <he|she|your friend|the doctor> speak {language}?\tSpricht <er|sie|dein Freund|der Arzt> {language}?",
        "{country} <sells|sends> <rice|oil|tea|fish|salt> to {country:b}.\t"
        "{country} <verkauft|schickt> <Reis|Öl|Tee|Fisch|Salz> an {country:b}.",
    ),
}
