"""English sentence patterns combined from parts: ``$NAME`` is one of the parts of that name, ``<a|b>`` a or b.

Only what is seen in training is combined. The sentences of split ``patterns`` stand whole in patterns_en.py and
stories_en.py, and none of them can be made here (a test says so).
"""

from __future__ import annotations

PARTS: dict[str, tuple[str, ...]] = {
    "C": (
        "the <government|people|army|parliament|state|citizens|king|queen|farmers|laws|ministers|voters> of {country}",
        "the <north|south|coast|hills|roads|villages|forests> of {country}",
        "<a|one|another> <minister|judge|soldier|citizen|villager> of {country}",
        "the <new|old|former|young> <president|king|government|minister> of {country}",
    ),
    "T": (
        "the <port|mayor|city|town|station|market|council|airport|harbour|suburbs|bishop|gates|walls> of {city}",
        "the <old|new|small|quiet|busy> <town|city|port|market|station> of {city}",
        "<a|the|one> <bridge|school|street|shop|square|church|hospital> in the city of {city}",
    ),
    "P": (
        "<he|she|nobody|everyone|my aunt|my brother|our guide|the old man|a young doctor|the driver|the teacher>",
        "<a guest|one worker|a nurse|the cook|a girl|a boy|the judge> <from|in|near> {city}",
    ),
    "PP": ("<they|we|you|I|many people|some children|most guests|the neighbours|two sailors|old friends>",),
    "LV": (
        "<speaks|understands|reads|learns|teaches|knows|forgot|likes|hears|studies> {language}",
        "<writes|sings|prays|thinks|answers|dreams> in {language}",
        "<speaks|reads|writes> {language} <well|badly|slowly|every day|at home>",
    ),
    "LVP": (
        "<speak|understand|read|learn|teach|know|forgot|like|hear|study> {language}",
        "<write|sing|pray|think|answer> in {language}",
    ),
    "MV": (
        "<pays|paid|counts|saves|lends> in {currency}",
        "<pays|paid> with the {currency}",
        "<earned|lost|found|spent|owes|sent> <two|three|nine|ten|sixty|ninety> {currency}",
    ),
    "MVP": ("<pay|paid|count|save|lend> in {currency}", "<earned|lost|found|spent|owe> <two|nine|sixty> {currency}"),
    "L": (
        "<lessons|songs|poems|prayers|news|signs|plays> in {language}",
        "<a|one|this|an old> <poem|song|film|newspaper|speech|dictionary> in {language}",
        "the <grammar|alphabet|sounds|dialects|words> of {language}",
    ),
    "V": (
        "<thanked|warned|asked|blamed|praised|helped|ignored|trusted|feared|surprised|called>",
        "<wrote to|waited for|agreed with|argued with|heard of|looked at|spoke about|sent food to|paid for>",
    ),
    "W": (
        "<again|today|twice|at last|last week|this year|in spring|all night|for two days|without a word|long ago>",
        "on {day}",
    ),
}
NER = (
    "$C $V $T.",
    "$C $V $C $W.",
    "$T $V $C.",
    "$T $V $T $W.",
    "$W $C $V $T.",
    "$P $LV.",
    "$P $LV and $MV.",
    "$P $MV and $LV.",
    "$PP $LVP and $MVP.",
    "$PP $LVP $W.",
    "$P $MV $W.",
    "$P $V $C.",
    "$P $V $T $W.",
    "$L <cost|costs|are worth> <two|nine|ten|sixty> {currency}.",
    "$L <surprised|pleased|annoyed|reached|bored> $C.",
    "$L <were heard|were found|were printed|was kept|was lost> <near|in|behind> $T.",
    "$C <printed|banned|dropped|praised|trusts|fears> the {currency} $W.",
    "<the price|the value|the rate|the future> of the {currency} <worried|pleased|surprised> $C.",
    "<a loan|a debt|a fine|a prize> of <two|nine|sixty> {currency} <surprised|saved|ruined> $T.",
    "<in|near|behind|outside> $T <people|children|sailors|most guests> $LVP.",
    "<in|across> {country} <people|children|farmers|judges> $LVP and $MVP.",
    "{city}, <the capital|a port|the largest city|an old city> of {country}, <was quiet|is old|grew fast>.",
    "{city} is the <capital|largest city|oldest port|first stop> of {country}.",
    "{country} and {country:b} <signed a treaty|share a river|closed two roads|agreed $W>.",
    "$PP <flew|walked|drove|sailed|travelled> from {city} to {city:b}.",
    "$P <flew|walked|drove|sailed|moved> from {city} to {country} $W.",
    "<is|was> $T <older than|larger than|richer than|far from> $T?",
    "<who|which judge|which doctor> <speaks|reads|understands> {language} in {city}?",
    "<do|did> $PP <speak|learn|read|study> {language} in {country}?",
)
PLAIN = (
    "<The train|The bus|The ship|A letter|The doctor|Our neighbour|The game|The show> <came|left|ended|began> $W.",
    "<Nobody|Everyone|He|She|The boy|An old friend> <laughed|waited|slept|called|agreed> $W.",
    "<Rain|Snow|Fog|Wind|Dust> <fell|came|stayed|covered the roads> $W.",
    "<Bread|Milk|Rice|Fuel|Paper> <is cheap|was sold|ran out|got dearer> $W.",
)
FACTS = {
    "currency": (
        "<in|across|all over> {country:head} <people|shops|banks|markets> <take|accept|want|count> the {currency}.",
        "<shops|banks|hotels|drivers|taxis> <in|of> {country:head} <take|accept|want> <only|just> the {currency}.",
        "{country:head} <pays|trades|counts|saves> in {currency}.",
        "{country:head} <has used|prints|chose|kept|took> the {currency} <since the war|for years|again>.",
        "the <notes|coins|prices|wages|taxes> of {country:head} are in {currency}.",
        "<you|we|they|tourists> <pay|buy|rent> with {currency} in {country:head}.",
        "the {currency} <serves|circulates|is accepted|is printed> in {country:head}.",
    ),
    "language": (
        "<in|across|all over> {country:head} <people|children|judges|most> <talk|write|learn> {language}.",
        "<children|judges|doctors|actors> <in|of> {country:head} <talk|write|sing> in {language}.",
        "{country:head} <speaks|teaches|uses|writes> {language} <at home|in court|at school>.",
        "the <newspapers|books|songs|signs|schools> of {country:head} are in {language}.",
        "<you|we|they|tourists> <hear|need|learn> {language} in {country:head}.",
        "{language} is <heard|taught|used|written|understood> <in|across|all over> {country:head}.",
        "{language} is the <mother tongue|state language|main language> of {country:head}.",
    ),
    "place": (
        "{city:head} <stands|was founded|is> in <the north of|the south of|the middle of> {country:place}.",
        "{city:head} is the <capital|largest city|oldest city|main port> of {country:place}.",
        "{city:head} is <part|a district|a port> of {country:place}.",
        "<you|we|they|tourists> <find|reach|visit> {city:head} in {country:place}.",
        "in {country:place} there is <a city|a town|a port|a place> called {city:head}.",
        "{country:place} <has|owns|rules|built> the <city|port|town> of {city:head}.",
        "the <port|harbour|village|suburb> of {city:head} <is|lies|stands> in {country:place}.",
    ),
    "currency language": (
        "{country:head} <pays in|counts in|trades in> {currency} and <writes|teaches|talks> {language}.",
        "in {country:head} <people|children|most> <count|pay> in {currency} and <write|read|talk> in {language}.",
        "<shops|banks|judges> of {country:head} <take|accept|want> {currency} and <speak|write|use> {language}.",
    ),
}
QUESTIONS = {
    "currency": (
        "<how|in what|with what money> do <people|they|you|shops> pay in {country:head}?",
        "what <money|currency|coins> <is used|is accepted|do they take|do people want> in {country:head}?",
        "<which|what> money does {country:head} <use|print|have|accept>?",
        "{country:head} <pays with|uses> which money?",
    ),
    "language": (
        "<which|what> language <is heard|is taught|do people talk|do they write|do you hear> in {country:head}?",
        "what do <people|they|children|judges> <speak|talk|learn|write> in {country:head}?",
        "<which|what> language does {country:head} <use|teach|have>?",
        "{country:head} <speaks|uses> which language?",
    ),
    "place": (
        "<in|to> what country <is|lies|belongs> {city:head}?",
        "where <is|do you find|do they find|can I find> {city:head}?",
        "{city:head} <is|lies> in which country?",
        "<which|what> country <has|owns|rules> {city:head}?",
    ),
}
EVENTS = {
    "visit": (
        "<doctors|players|sailors|judges|singers> <from|of> {country:guest} [<visited|toured|flew to>] {city:host} $W.",
        "<doctors|players|sailors|pupils|singers> from {city:guest} [<travelled to|flew to|came to>] {country:host}.",
        "the <queen|president|choir> of {country:guest} [<visited|flew to|came to|travelled to>] {city:host}.",
        "{city:host} [<welcomed|received|greeted|hosted>] <players|doctors|judges|a choir> from {country:guest} $W.",
        "{country:host} [<welcomed|received|greeted|hosted>] <players|doctors|pupils> from {city:guest}.",
        "$W <a choir|some judges|two singers> from {country:guest} [<visited|toured|came to>] {city:host}.",
        "<a choir|two singers|our team> from {city:guest} was [<received|welcomed|greeted>] in {country:host}.",
    ),
    "trade": (
        "{country:seller} [<exported|sold|shipped|delivered>] <wheat|cotton|salt|paper|fish> to {country:buyer} $W.",
        "{country:buyer} [<bought|imported|ordered>] <rice|wheat|cotton|salt|fish> from {country:seller}.",
        "{city:buyer} [<imported|ordered>] <wheat|salt|paper|wool> from {country:seller} $W.",
        "<farmers|miners|firms> in {country:seller} [<sold|shipped|delivered>] <wool|oil|fish> to {city:buyer}.",
        "<wheat|cotton|salt|wool|oil> from {country:seller} was [<exported|shipped|delivered|sold>] to {city:buyer}.",
        "<fish|paper|rice|oil> from {country:seller} was [<imported|bought|ordered>] by {city:buyer} $W.",
        "$W {country:seller} [<shipped|sold|delivered>] <oil|wool|salt> to {country:buyer}.",
    ),
    "adoption": (
        "{country:place} [<adopted|introduced|accepted|chose>] the {currency:money} $W.",
        "the {currency:money} was [<introduced|adopted|accepted|chosen>] <by|in> {country:place} $W.",
        "the <people|government|king|parliament> of {country:place} [<adopted|chose|accepted>] the {currency:money}.",
        "the <shops|towns|villages> of {country:place} [<switched>] to the {currency:money} $W.",
        "$W {country:place} [<switched|changed>] to the {currency:money}.",
    ),
    "teaching": (
        "<schools|teachers|nuns|parents> in {city:place} [<taught|explained|studied>] {language:subject} $W.",
        "{language:subject} was [<taught|studied|explained|learned>] <at home|at school|at night> in {city:place}.",
        "<pupils|children|soldiers> of {country:place} [<studied|learned>] {language:subject} $W.",
        "<a monk|two teachers> [<explained|taught>] {language:subject} to <girls|boys|pupils> in {country:place}.",
        "$W <children|guests|nurses> in {city:place} [<learned|studied>] {language:subject}.",
    ),
}
ASIDES = (
    "<The road|The train|The bus|A letter> to {city} <is late|was lost|was stopped> $W.",
    "<A singer|A player|A friend|One nurse> from {country} <fell ill|came home|won again> $W.",
    "<A poem|A song|A film> in {language} <made us cry|was too long|won a medal>.",
    "<The rate|The name|The colour> of the {currency} <changed|pleased nobody|was a surprise> $W.",
    "<Fog|Wind|Snow|Dust> <hid|covered|reached> {city} $W.",
    "<A plane|A bus|A choir> left {city} for {country} $W.",
)
INTENT = {
    "book flight": (
        "<Please book|Book me|Reserve|I need|Could you find> a <flight|seat> from {city:from} to {city:to}<.| please.>",
        "<I have|I need|We want|We have> to <fly|get|travel> from {city:from} to {city:to}<.| tomorrow.| soon.>",
        "<Is there|Are there|Do you have> <a flight|seats|any planes> <from|out of> {city:from} to {city:to}?",
        "<Get us|Find us|Buy me> <a seat|two seats|a flight> to {city:to}<.| please.>",
    ),
    "convert money": (
        "<Please change|Convert|Exchange|Can you change> {amount} {currency:from} <to|into> {currency:to}<.| please.>",
        "<How many|How much in> {currency:to} <do I get for|are|is> {amount} {currency:from}?",
        "<I have|We have|Here are> {amount} {currency:from}, <give me|what is that in> {currency:to}?",
        "<Turn|Swap|Trade> {amount} {currency:from} for {currency:to}.",
    ),
    "translate": (
        "<Translate|Put|Turn|Can you turn> <this text|my essay|this song> from {language:from} into {language:to}.",
        "<How do I say|What is> <this word|this line|good night> in {language:to}?",
        "<I want|We need|Give me> <this book|the song|my letter> in {language:to}<.| please.>",
        "<My notes|These lines|The rules> are in {language:from}, I want them in {language:to}.",
    ),
    "ask time": (
        "<What is|Give me|Do you know> the <time|hour> in {city:place}<?| please?>",
        "<How late|How early|What hour> is it in {city:place}<?| now?| today?>",
        "Is it <early|dark|morning|night> <already |>in {city:place}?",
    ),
    "ask currency": (
        "<What|Which> <money|coins|notes> do <people|they|shops> <take|use|want> in {country:place}?",
        "<How|With what> do <I|we|people> pay in {country:place}?",
        "<What is|Do you know|Tell me> the money of {country:place}<?|, please.>",
    ),
    "ask language": (
        "<What|Which> language do <they|children|people> <use|learn|write> in {country:place}?",
        "<What|Which language> should <I|we> speak in {country:place}?",
        "<How|In what language> do people talk in {country:place}?",
    ),
}
OPENING = (
    "<I want|I need|I have|We want|We have|I plan> to <go|get|travel|fly> to {city:destination}<.| soon.| please.>",
    "<Can you book|Please book|Find me|I need> a <trip|ticket|bus|seat> to {city:destination}<.| please.>",
    "<We leave|I start from|I go from|I fly from> {city:departure} <to|for> {city:destination}<.| tomorrow.>",
    "<Is there|Do you have> a <bus|ship|flight> from {city:departure} to {city:destination}<?| please?>",
    "<I must|I want to|I need to> be in {city:destination} on {day}.",
    "<On {day} I|{day} I> <go|fly|travel> to {city:destination}.",
)
ANSWERS = {
    "departure": (
        "<We start in|I come from|I travel from|My home is> {city:departure}.",
        "{city:departure}<, please|>.",
    ),
    "day": ("<On {day}, please|{day} please|I go on {day}|Next {day}|{day} is fine|Maybe {day}>.",),
    "currency": ("<I will pay in|I only have|In|I use|We pay with> {currency}.", "{currency}<, please|>."),
    "language": ("<I talk|I know|I understand|I prefer|Only|In> {language}.", "{language}<, please|>."),
}
CHANGES = (
    "<No,|Wait,|Oh,> not {old}, <I want|I meant|make it|better> {city:destination}.",
    "<Please take|Take|I prefer> {city:destination} <instead of|and not> {old}.",
)
