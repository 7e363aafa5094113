"""English news with headlines, and the turns of a booking."""

from __future__ import annotations

from t2t.atlas.bank import Bank, Dialogue, Story

NEWS = (
    Story(
        Bank(
            (
                "After long talks {country:a} and {country:b} signed a trade deal.",
                "{country:a} has agreed on trade with {country:b}.",
                "The president of {country:a} closed a trade deal with {country:b}.",
            ),
            ("After long talks {country:a} has signed a trade deal with {country:b}.",),
        ),
        "{country:a} and {country:b} sign trade deal",
    ),
    Story(
        Bank(
            (
                "From next year the people of {country:a} will pay with the {currency:b}.",
                "The government of {country:a} chose the {currency:b} as its new money.",
                "The {currency:b} will soon be the money of {country:a}.",
            ),
            ("The people of {country:a} chose the {currency:b} as new money.",),
        ),
        "{country:a} adopts {currency:b}",
    ),
    Story(
        Bank(
            (
                "Direct flights between {city:a} and {city:b} begin this week.",
                "Planes will now fly from {city:a} straight to {city:b}.",
                "Travellers can now fly from {city:a} to {city:b} without a stop.",
            ),
            ("Direct planes from {city:a} to {city:b} will fly this week.",),
        ),
        "{city:a} opens flights to {city:b}",
    ),
    Story(
        Bank(
            (
                "Pupils in {city:a} will soon have lessons in {language:b}.",
                "All schools of {city:a} added {language:b} to their classes.",
                "{language:b} will be a new subject in the schools of {city:a}.",
            ),
            ("Schools in {city:a} will soon have classes in {language:b}.",),
        ),
        "{city:a} schools to teach {language:b}",
    ),
    Story(
        Bank(
            (
                "A strong storm hit {city:a} and cut the power.",
                "High winds broke many roofs in {city:a}.",
                "The people of {city:a} hid all night from high winds.",
            ),
            ("A strong storm broke many roofs in {city:a}.",),
        ),
        "storm hits {city:a}",
    ),
)
DETAILS = Bank(
    (
        "Reporters from {city} were there.",
        "The news was read in {language}.",
        "Nobody gave a reason.",
        "A paper in {country} printed the story.",
        "Experts had waited for years.",
        "The cost in {currency} is not known.",
    ),
    ("Reporters from {country} printed the story.", "The reason is not known."),
)
DIALOGUE = Dialogue(
    speakers=("user: ", "agent: "),
    opening=Bank(
        (
            "I want to go to {city:destination}.",
            "Please book a trip to {city:destination}.",
            "I need to be in {city:destination} soon.",
            "I leave {city:departure} for {city:destination}.",
            "Is there a train from {city:departure} to {city:destination}?",
            "I would like to travel to {city:destination} on {day}.",
        ),
        (
            "I would like to go to {city:destination} from {city:departure}.",
            "Please book a train to {city:destination} on {day}.",
        ),
    ),
    asks={
        "departure": Bank(("Where do you start?", "From which city?"), ("From where do you start?",)),
        "day": Bank(("Which day?", "When do you leave?"), ("On which day do you leave?",)),
        "currency": Bank(("How will you pay?", "Which money do you have?"), ("Which money will you pay with?",)),
        "language": Bank(
            ("Which language should the guide speak?", "What do you speak?"), ("Which language do you speak?",)
        ),
    },
    answers={
        "departure": Bank(
            ("From {city:departure}.", "I start in {city:departure}."), ("I leave from {city:departure}.",)
        ),
        "day": Bank(("On {day}.", "{day} is best."), ("I leave on {day}.",)),
        "currency": Bank(("I pay in {currency}.", "With {currency}."), ("I have {currency}.",)),
        "language": Bank(("I speak {language}.", "{language} please."), ("The guide should speak {language}.",)),
    },
    changes=Bank(
        ("Sorry, not {old}, I meant {city:destination}.", "Change {old} to {city:destination}."),
        ("Sorry, change {old} to {city:destination}.",),
    ),
    replies=Bank(("Fine.", "One moment.", "All right."), ("Fine, one moment.",)),
)
