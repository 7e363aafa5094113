"""Prompts in English and Chinese."""

from __future__ import annotations

from t2t.authoring.new.proposal import Proposal

_ENGLISH = {
    "qa": ("answer from the text.", "find the answer in the passage."),
    "ner": ("find {{type.labels}}:", "which names of these types ({{type.labels}}) stand in:"),
    "slots": ("understand the request:", "intent and slots of:"),
    "multiple_choice": ("choose the best answer.", "which option is right?"),
    "similarity": ("rate:", "give the score of:"),
    "multi_label": ("name all labels of:", "which labels fit:"),
    "keywords": ("key phrases of:", "which phrases index this text:"),
    "classification": ("classify:", "what is the label of:"),
    "pair_classification": ("compare:", "how do these two relate:"),
    "translation": ("translate {0} to {1}:", "say in {1}:"),
    "summarization": ("summarize:", "write a summary of:"),
    "text_to_text": ("write the {1} of the {0}:", "{0} to {1}:"),
    "aspect_sentiment": ("what is spoken of, and how ({{type.labels}}):", "aspects and opinions in:"),
    "wanted_types": ("find {{types}} in:", "which {{types}} stand in:"),
    "joint_extraction": (
        "find {{mentions.type.labels}}, and {{relations.type.labels}} between them:", "entities and relations in:",
    ),
    "relation": ("find {{type.labels}} in:", "relations ({{type.labels}}) in:"),
    "event": ("find events in:", "what happens, and who takes part, in:"),
    "instruction": ("",),
    "response": ("answer the last turn:", "what comes next in this conversation:"),
}  # fmt: skip
_CHINESE = {
    "qa": ("根据文章回答问题。", "在文中找出答案。"),
    "ner": ("找出实体（{{type.labels}}）：", "标出文中的所有实体（{{type.labels}}）："),
    "slots": ("理解请求：", "意图和槽位："),
    "multiple_choice": ("选择最合适的答案。", "哪个选项正确？"),
    "similarity": ("打分：", "给出分数："),
    "multi_label": ("给出所有标签：", "哪些标签合适："),
    "keywords": ("关键词：", "选出几个关键词："),
    "classification": ("分类：", "给出类别："),
    "pair_classification": ("比较：", "两者是什么关系："),
    "translation": ("把{0}翻译成{1}：", "用{1}说："),
    "summarization": ("写摘要：", "概括内容："),
    "text_to_text": ("根据{0}写{1}：", "由{0}到{1}："),
    "aspect_sentiment": ("找出评价对象及其情感（{{type.labels}}）：", "文中评价了什么，态度如何："),
    "wanted_types": ("找出{{types}}：", "文中有哪些{{types}}："),
    "joint_extraction": (
        "找出实体（{{mentions.type.labels}}）及其关系（{{relations.type.labels}}）：", "抽取实体和关系：",
    ),
    "relation": ("找出关系（{{type.labels}}）：", "抽取三元组（{{type.labels}}）："),
    "event": ("抽取事件：", "文中发生了什么事件，有谁参与："),
    "instruction": ("",),
    "response": ("回答最后一句：", "接着这段对话："),
}  # fmt: skip
_NAMES = {"Chinese": "中文", "English": "英文", "German": "德文", "French": "法文", "Japanese": "日文"}


def prompts(proposal: Proposal, chinese: bool) -> list[str]:
    """Two wordings for a proposal, each followed by its fields."""
    said = (
        proposal.languages
        if any(proposal.languages)
        else (proposal.inputs[0], str(proposal.target.get("text") or proposal.target.get("code", "")))
    )
    words = [_NAMES.get(word, word) if chinese else word for word in said]
    wordings = (_CHINESE if chinese else _ENGLISH)[proposal.family]
    return [f"{wording.format(*words)} {_body(proposal)}".strip() for wording in wordings]


def _body(proposal: Proposal) -> str:
    options = [name for name in proposal.lists if name != "types"]
    single = len(proposal.inputs) == 1 and not options
    parts = [f"{{{name}}}" if single else f"{name}: {{{name}}}" for name in proposal.inputs]
    parts += [f"options: {{{name}}}" for name in options]
    return " ".join(parts)
