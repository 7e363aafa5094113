"""Hand-written records in the column names of the hub's data sets, two for each template that reads one."""

from __future__ import annotations

from typing import Any

_MRPC = [
    {"sentence1": "Rain fell all day.", "sentence2": "It rained the whole day.", "label": 1, "idx": 0},
    {"sentence1": "The bank opened.", "sentence2": "A river has two banks; both are wet.", "label": 1, "idx": 1},
    {"sentence1": "Ships left.", "sentence2": "Trains came.", "label": 0, "idx": 2},
]
_PAWS = [
    {"id": 1, "sentence1": "从甲地到乙地", "sentence2": "由甲地往乙地", "label": 1},
    {"id": 2, "sentence1": "他借给她书；她读了", "sentence2": "她借给他书", "label": 0},
]
_EVIDENCE = {"evidence_id": "Sea:1", "evidence_label": 0, "article": "Sea", "evidence": "Seas rise.", "entropy": 0.1}
_CLIMATE = [
    {"claim_id": "0", "claim": "Seas rise", "claim_label": 0, "evidences": [_EVIDENCE]},
    {"claim_id": "1", "claim": "Ice grows", "claim_label": 3, "evidences": [{**_EVIDENCE, "evidence_label": 1}] * 2},
    {"claim_id": "2", "claim": "Winters warm", "claim_label": 2, "evidences": [{**_EVIDENCE, "evidence_label": 2}]},
    {"claim_id": "3", "claim": "Rain is new", "claim_label": 1, "evidences": [_EVIDENCE, _EVIDENCE]},
]
_ASPECTS = [
    {
        "sentenceId": "1",
        "text": "Good pasta; rude staff, pasta cold later.",
        "aspectTerms": [
            {"term": "staff", "polarity": "negative", "from": "17", "to": "22"},
            {"term": "pasta", "polarity": "negative", "from": "24", "to": "29"},
            {"term": "pasta", "polarity": "conflict", "from": "5", "to": "10"},
        ],
        "aspectCategories": [
            {"category": "food", "polarity": "conflict"},
            {"category": "anecdotes/miscellaneous", "polarity": "neutral"},
        ],
    },
    {"sentenceId": "2", "text": "We went.", "aspectTerms": [], "aspectCategories": []},
]

SAMPLES: dict[str, list[dict[str, Any]]] = {
    "aspect_sentiment/semeval2014_categories": _ASPECTS,
    "aspect_sentiment/semeval2014_terms": _ASPECTS,
    "augmentation/paraphrase": _MRPC,
    "augmentation/paraphrase_zh": _PAWS,
    "chunking/conll2000": [
        {"id": "0", "tokens": ["The", "old", "[", "man", "sat"], "chunk_tags": [11, 12, 0, 11, 21]},
        {"id": "1", "tokens": ["In", "it"], "chunk_tags": [13, 11]},
    ],
    "classification/ag_news": [{"text": "The cup is won.", "label": 1}, {"text": "Oil = dear", "label": 2}],
    "classification/chnsenticorp": [{"text": "房间很大，安静。", "label": 1}, {"text": "书页缺损", "label": 0}],
    "classification/sst5": [
        {"text": "a warm , wise film", "label": 4, "label_text": "very positive"},
        {"text": "it ends", "label": 2, "label_text": "neutral"},
    ],
    "classification/tnews": [
        {"sentence": "油价又涨了", "label": 4, "idx": 0}, {"sentence": "新车上市", "label": 6, "idx": 1},
    ],
    "classification/trec": [
        {"text": f"What is thing {index} ?", "coarse_label": index % 6, "fine_label": 0} for index in range(8)
    ],
    "closed_qa/trivia_qa": [
        {
            "question": "Which river runs through Basel?",
            "question_id": "q1",
            "answer": {"value": "Rhine", "aliases": ["Rhine", "Rhein", "River Rhine"], "type": "WikipediaEntity"},
        },
        {"question": "2 + 2?", "question_id": "q2", "answer": {"value": "4", "aliases": [], "type": "Numerical"}},
    ],
    "closed_qa/web_questions": [
        {"url": "u", "question": "which seas touch denmark?", "answers": ["North Sea", "Baltic ; Sea"]},
        {"url": "v", "question": "who wrote emma?", "answers": ["Jane Austen"]},
    ],
    "fact_verification/climate_fever": _CLIMATE,
    "fact_verification/climate_fever_evidence": _CLIMATE,
    "fact_verification/vitaminc": [
        {"unique_id": "a1", "label": label, "claim": "Ten came", "evidence": "Nine came.", "page": "Party"}
        | {"unique_id": label}
        for label in ("SUPPORTS", "REFUTES", "NOT ENOUGH INFO")
    ],
    "grammar/cola": [{"sentence": "Him went.", "label": 0, "idx": 0}, {"sentence": "He went.", "label": 1, "idx": 1}],
    "grammar/csc_zh": [
        {"original_text": "我门走吧", "wrong_ids": [1], "correct_text": "我们走吧"},
        {"original_text": "天黑了", "wrong_ids": [], "correct_text": "天黑了"},
    ],
    "grammar/jfleg": [
        {"sentence": "He go home .", "corrections": ["He goes home . ", "He went home . "]},
        {"sentence": "Yes .", "corrections": ["Yes . "]},
    ],
    "keywords/inspec": [
        {
            "id": 1,
            "document": ["Graph", "colouring", "is", "hard"],
            "doc_bio_tags": ["B", "I", "O", "O"],
            "extractive_keyphrases": ["graph colouring"],
            "abstractive_keyphrases": [],
        },
        {"id": 2, "document": ["Sets"], "extractive_keyphrases": [], "abstractive_keyphrases": ["a @ b", "set theory"]},
    ],
    "multi_label/go_emotions": [
        {"text": "Oh wow, thanks!", "labels": [26, 15], "id": "a"}, {"text": "It is noon.", "labels": [27], "id": "b"},
    ],
    "multiple_choice/arc": [
        {
            "id": f"k{index}",
            "question": f"Which is metal number {index}?",
            "choices": {"text": ["wood", "iron", "wool"], "label": ["A", "B", "C"]},
            "answerKey": key,
        }
        for index, key in enumerate("BABC1")
    ],
    "multiple_choice/c3": [
        {
            "id": 0,
            "context": ["女：几点了？", "男：三点。"],
            "question": "现在几点？",
            "choice": ["两点", "三点", "四点"],
            "answer": "三点",
        },
        {"id": 1, "context": ["雨停了。"], "question": "天气怎样？", "choice": ["雨停", "下雪"], "answer": "雨停"},
    ],
    "ner/conll2003": [
        {"id": "0", "tokens": ["Ada", "of", "Kent", "met", "Ada"], "pos_tags": [1] * 5, "ner_tags": [1, 0, 5, 0, 3]},
        {"id": "1", "tokens": ["Rain", "fell"], "pos_tags": [1, 2], "ner_tags": [0, 0]},
    ],
    "nli/mrpc": _MRPC,
    "nli/ocnli": [
        {"sentence1": "他在跑步", "sentence2": "他在动", "label": 1, "id": 0},
        {"sentence1": "天晴", "sentence2": "下雨", "label": 2, "id": 1},
        {"sentence1": "有人", "sentence2": "没有共识", "label": -1, "id": 2},
    ],
    "nli/paws_zh": _PAWS,
    "nli/snli": [
        {"premise": "A man runs.", "hypothesis": "A man moves.", "label": 0},
        {"premise": "A man runs.", "hypothesis": "It is late.", "label": -1},
        {"premise": "A man runs.", "hypothesis": "He sleeps.", "label": 2},
    ],
    "similarity/stsb": [
        {"sentence1": "A dog runs.", "sentence2": "A dog is running.", "label": 4.8, "idx": 0},
        {"sentence1": "A dog runs.", "sentence2": "Tea is hot.", "label": 0.0, "idx": 1},
    ],
    "similarity/stsb_zh": [
        {"sentence1": "狗在跑", "sentence2": "一只狗在跑", "score": 5},
        {"sentence1": "狗在跑", "sentence2": "茶很烫", "score": 0},
    ],
    "summarization/cnn_dailymail": [
        {"article": "A ship sank. All are safe.", "highlights": "Ship sinks .\nNobody hurt .", "id": "a"},
        {"article": "Snow fell.", "highlights": "Much snow fell .", "id": "b"},
    ],
    "text_to_sql/create_context": [
        {"question": f"How many of {n}?", "context": f"CREATE TABLE t{n} (id INT)", "answer": f"SELECT id FROM t{n}"}
        for n in range(60)
    ],
    "text_to_sql/spider": [
        {"db_id": "zoo", "query": "SELECT name FROM animal WHERE age  <  3", "question": "Which are young?"},
        {"db_id": "zoo", "query": "SELECT count(*) FROM animal", "question": "How many?"},
    ],
    "translation/wmt19_zh-en/en-zh": [{"translation": {"zh": "他们昨天到了北京。", "en": "They came to Beijing yesterday."}}] * 2,
    "translation/wmt19_zh-en/zh-en": [{"translation": {"zh": "下雨了。", "en": "It rains on all of us."}}] * 2,
}  # fmt: skip
