"""Chinese sentence patterns. Each bank is a pair: the patterns of train and test, and those of split ``patterns``."""

from __future__ import annotations

from t2t.atlas import parts_zh
from t2t.atlas.bank import Bank, Patterns
from t2t.atlas.stories_zh import DETAILS, DIALOGUE, NEWS

TOPIC = {
    "geography": Bank(
        (
            "{country}北部有许多高山。",
            "一条大河流过{city}。",
            "{country}与{country:b}接壤。",
            "{city}位于{country}的海边。",
            "{country}的最高峰终年积雪。",
            "{country}的湖泊大多在南部。",
        ),
        ("一条大河是{country}的边界。", "{city}的海边有许多湖泊。"),
    ),
    "currency": Bank(
        (
            "{currency}对{currency:b}贬值了。",
            "{currency}的新硬币今天亮相。",
            "{country}的央行提高了利率。",
            "{city}的商店接受{currency}。",
            "有一种{currency}钞票是绿色的。",
            "{country}的价格用{currency}表示。",
        ),
        ("央行今天发行{currency}的新钞票。", "{currency}对{currency:b}的价格下跌了。"),
    ),
    "language": Bank(
        (
            "{country}的孩子在学校学习{language}。",
            "{language}里有许多{language:b}的词语。",
            "{language}的语法很难学。",
            "她说{language}时带着{city}口音。",
            "一本{language}新词典出版了。",
            "这些诗歌大多译自{language}。",
        ),
        ("一本{language}语法书在{city}出版。", "他用词典学习{language}的词语。"),
    ),
    "time": Bank(
        (
            "{city}的时钟指向正午。",
            "{city}比{city:b}早两个小时。",
            "{country}将在春天调整时钟。",
            "{city}的太阳升得很早。",
            "{country}现在是午夜。",
            "{country}和{country:b}在同一个时区。",
        ),
        ("{country}的时钟比{city}早一个小时。", "{city}正午的太阳很高。"),
    ),
    "travel": Bank(
        (
            "去{city}的航班每天早上起飞。",
            "许多游客夏天去{country}。",
            "{city}的酒店已经订满。",
            "从{city}到{city:b}的火车票很便宜。",
            "去{country}旅行需要签证。",
            "我们在{city}的导游会说{language}。",
        ),
        ("游客订满了{country}的酒店。", "夏天去{city}的机票很便宜。"),
    ),
    "trade": Bank(
        (
            "{country}向{country:b}出口咖啡。",
            "{country}的农民把更多大米卖到国外。",
            "{city}的工厂把钢铁运往{country}。",
            "{country}签合同购买小麦。",
            "{city}的商人进口棉花。",
            "{country}对{city}的出口增长了。",
        ),
        ("{city}的商人出口咖啡和棉花。", "{country}从{country:b}进口钢铁和小麦。"),
    ),
}
INTENT = {
    "book flight": Bank(
        (
            "请订一张从{city:from}到{city:to}的机票。",
            "我想从{city:from}飞往{city:to}。",
            "帮我找一个离开{city:from}去{city:to}的航班。",
            "给我买一张去{city:to}的机票。",
        ),
        ("我想买一张从{city:from}去{city:to}的机票。",),
    ),
    "convert money": Bank(
        (
            "把 {amount} {currency:from}换成{currency:to}。",
            "{amount} {currency:from}等于多少{currency:to}？",
            "我要用 {amount} {currency:from}兑换{currency:to}。",
            "{amount} {currency:from}能换多少{currency:to}？",
        ),
        ("我要把 {amount} {currency:from}换成{currency:to}。",),
    ),
    "translate": Bank(
        (
            "把这封信从{language:from}译成{language:to}。",
            "你能把这一页译成{language:to}吗？",
            "这首诗是用{language:from}写的，请给我{language:to}译文。",
            "请把我的{language:from}笔记译成{language:to}。",
        ),
        ("请把这一页从{language:from}译成{language:to}。",),
    ),
    "ask time": Bank(
        ("{city:place}现在几点？", "告诉我{city:place}的时间。", "{city:place}现在是晚上吗？"),
        ("告诉我{city:place}现在几点。",),
    ),
    "ask currency": Bank(
        ("在{country:place}用什么钱？", "{country:place}的货币叫什么？", "去{country:place}该带哪种钱？"),
        ("在{country:place}用哪种货币？",),
    ),
    "ask language": Bank(
        ("{country:place}的人说什么语言？", "在{country:place}讲什么话？", "去{country:place}该学哪种语言？"),
        ("在{country:place}说哪种语言？",),
    ),
}
NER = Bank(
    (
        "{city}港口与{country}政府签了合同。",
        "{city}市区的一座桥关闭了。",
        "{city}市长会说{language}。",
        "{country}人民用{currency}付款。",
        "教授{language}的课程即将开始。",
        "{country}军队离开了边境。",
        "在{city}车站，一张票要九{currency}。",
        "{country}总统用{language}读了一封信。",
        "{city}街上挤满了{country}公民。",
        "银行今天卖出货币{currency}。",
        "{country}议会在{city}市区开会。",
        "一本用{language}写的书要六{currency}。",
        "{country}公民会读{language}，也会说{language:b}。",
        "用{currency}兑换{currency:b}已经停止。",
    ),
    (
        "{country}公民在{city}街上说{language}。",
        "{country}政府卖出货币{currency}。",
        "{city}市长与{country}总统签了合同。",
    ),
)
PLAIN = Bank(
    (
        "{day}天气很好。",
        "有 {amount} 人受伤。",
        "{day}物价又上涨了。",
        "{day}的会议很短。",
        "{day}有 {amount} 列火车晚点。",
        "有 {amount} 名读者写了信。",
        "旧桥{day}将重新粉刷。",
        "医生要求再给 {amount} 天。",
    ),
    ("旧桥上的会议{day}很短。", "有 {amount} 列火车{day}又晚点了。", "{day}医生写了 {amount} 封信。"),
)
FACTS = {
    "currency": Bank(
        (
            "{country:head}使用{currency}。",
            "在{country:head}，人们用{currency}付款。",
            "{country:head}的货币是{currency}。",
            "{currency}是{country:head}的钱。",
        ),
        ("{currency}是{country:head}使用的货币。", "{country:head}的钱是{currency}。"),
    ),
    "language": Bank(
        (
            "{country:head}的人说{language}。",
            "{language}通行于{country:head}。",
            "{country:head}的语言是{language}。",
            "{country:head}的法律用{language}写成。",
        ),
        ("{language}是{country:head}的语言。", "在{country:head}，人们说{language}。"),
    ),
    "place": Bank(
        (
            "{city:head}位于{country:place}。",
            "{city:head}是{country:place}的城市。",
            "{country:place}有一座名叫{city:head}的城市。",
            "小城{city:head}属于{country:place}。",
        ),
        ("{city:head}是{country:place}的小城。", "小城{city:head}位于{country:place}。"),
    ),
    "currency language": Bank(
        (
            "{country:head}使用{currency}，说{language}。",
            "在{country:head}，人们用{currency}付款，也说{language}。",
        ),
        ("{country:head}的人用{currency}付款，说{language}。",),
    ),
}
ASIDES = Bank(
    (
        "去{city}的路封闭了。",
        "一名学{language}的学生得了奖。",
        "来自{country}的球队迟到了。",
        "兑换{currency}的价格没有变化。",
        "大雨在{city}下了一整天。",
        "一艘船离开{city}前往{country}。",
    ),
    ("来自{city}的球队得了奖。", "大雪在{country}下了一整夜。"),
)
QUESTIONS = {
    "currency": Bank(("{country:head}用什么付款？", "{country:head}使用哪种货币？"), ("{country:head}的货币是什么？",)),
    "language": Bank(("{country:head}的人说什么？", "{country:head}通行哪种语言？"), ("{country:head}的语言是什么？",)),
    "place": Bank(("{city:head}位于哪里？", "{city:head}在哪个国家？"), ("{city:head}位于哪个国家？",)),
}
EVENTS = {
    "visit": Bank(
        (
            "{country:guest}的部长[访问]了{city:host}。",
            "{city:host}[欢迎]了来自{country:guest}的客人。",
            "{country:guest}国王[前往]{city:host}。",
            "{city:guest}的学生[参观]了{country:host}。",
        ),
        ("{city:guest}的客人[访问]了{country:host}。", "{country:guest}的部长[参观]了{city:host}。"),
    ),
    "trade": Bank(
        (
            "{country:seller}向{country:buyer}[出口]大米。",
            "{country:buyer}从{country:seller}[购买]钢铁。",
            "{country:seller}的农民把茶叶[卖给]{city:buyer}。",
            "来自{country:seller}的咖啡[运到]了{city:buyer}。",
        ),
        ("{country:seller}把钢铁[卖给]{country:buyer}。", "{city:buyer}从{country:seller}[购买]咖啡。"),
    ),
    "adoption": Bank(
        (
            "{country:place}[采用]了{currency:money}。",
            "{currency:money}在{country:place}[开始流通]。",
            "{country:place}的银行[改用]{currency:money}。",
        ),
        ("{country:place}的银行[采用]了{currency:money}。",),
    ),
    "teaching": Bank(
        (
            "{city:place}的学校[教授]{language:subject}。",
            "{country:place}的人[学习]{language:subject}。",
            "老师给{city:place}的孩子[讲解]{language:subject}。",
        ),
        ("老师在{country:place}的学校[教授]{language:subject}。",),
    ),
}
CHINESE = Patterns(
    TOPIC,
    INTENT,
    NER.with_combined(parts_zh.NER),
    PLAIN.with_combined(parts_zh.PLAIN),
    FACTS,
    ASIDES,
    QUESTIONS,
    EVENTS,
    NEWS,
    DETAILS,
    DIALOGUE,
)
