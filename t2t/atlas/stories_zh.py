"""Chinese news with headlines, and the turns of a booking."""

from __future__ import annotations

from t2t.atlas.bank import Bank, Dialogue, Story

NEWS = (
    Story(
        Bank(
            (
                "经过长时间谈判，{country:a}和{country:b}签署了贸易协议。",
                "{country:a}同意与{country:b}开展贸易。",
                "{country:a}总统与{country:b}代表就贸易达成一致。",
            ),
            ("经过长时间谈判，{country:a}同意与{country:b}签署贸易协议。",),
        ),
        "{country:a}与{country:b}签贸易协议",
    ),
    Story(
        Bank(
            (
                "从明年起，{country:a}人民将用{currency:b}付款。",
                "{country:a}政府选择{currency:b}作为新货币。",
                "{currency:b}很快会成为{country:a}的货币。",
            ),
            ("{country:a}人民选择{currency:b}作为新货币。",),
        ),
        "{country:a}采用{currency:b}",
    ),
    Story(
        Bank(
            (
                "{city:a}和{city:b}之间的直飞航班本周开始。",
                "飞机将从{city:a}直接飞到{city:b}。",
                "旅客现在可以从{city:a}直飞{city:b}。",
            ),
            ("从{city:a}直飞{city:b}的航班本周开始。",),
        ),
        "{city:a}开通到{city:b}的航班",
    ),
    Story(
        Bank(
            (
                "{city:a}的学生很快会有{language:b}课。",
                "{city:a}的所有学校都增加了{language:b}课程。",
                "{language:b}将成为{city:a}学校的新课程。",
            ),
            ("{city:a}的学校很快会有{language:b}课程。",),
        ),
        "{city:a}学校将教{language:b}",
    ),
    Story(
        Bank(
            (
                "强烈风暴袭击{city:a}，造成停电。",
                "大风吹坏了{city:a}的许多屋顶。",
                "{city:a}的居民整夜躲避大风。",
            ),
            ("强烈风暴吹坏了{city:a}的许多屋顶。",),
        ),
        "风暴袭击{city:a}",
    ),
)
DETAILS = Bank(
    (
        "来自{city}的记者在场。",
        "这则新闻用{language}播出。",
        "没有人说明原因。",
        "一家{country}报纸刊登了消息。",
        "专家等了很多年。",
        "要花多少{currency}还不清楚。",
    ),
    ("来自{country}的记者刊登了消息。", "原因还不清楚。"),
)
DIALOGUE = Dialogue(
    speakers=("用户：", "客服："),
    opening=Bank(
        (
            "我想去{city:destination}。",
            "请帮我订去{city:destination}的行程。",
            "我要尽快到{city:destination}。",
            "我从{city:departure}出发去{city:destination}。",
            "有从{city:departure}到{city:destination}的火车吗？",
            "我想在{day}去{city:destination}旅行。",
        ),
        ("我想从{city:departure}去{city:destination}旅行。", "请帮我订{day}去{city:destination}的火车。"),
    ),
    asks={
        "departure": Bank(("您从哪里出发？", "从哪个城市？"), ("您从哪个城市出发？",)),
        "day": Bank(("哪一天？", "您什么时候走？"), ("您哪一天走？",)),
        "currency": Bank(("您怎么付款？", "您有哪种钱？"), ("您用哪种钱付款？",)),
        "language": Bank(("导游要说什么语言？", "您说什么语言？"), ("您要哪种语言的导游？",)),
    },
    answers={
        "departure": Bank(("从{city:departure}。", "我在{city:departure}出发。"), ("我从{city:departure}走。",)),
        "day": Bank(("在{day}。", "{day}最好。"), ("我{day}走。",)),
        "currency": Bank(("我付{currency}。", "用{currency}。"), ("我用{currency}付款。",)),
        "language": Bank(("我说{language}。", "请说{language}。"), ("导游要说{language}。",)),
    },
    changes=Bank(
        ("对不起，不是{old}，是{city:destination}。", "把{old}改成{city:destination}。"),
        ("对不起，把{old}改成{city:destination}。",),
    ),
    replies=Bank(("好的。", "请稍等。", "没问题。"), ("好的，请稍等。",)),
)
