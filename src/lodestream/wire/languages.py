"""The two languages of the documentation."""

from typing import Literal, TypeAlias

Language: TypeAlias = Literal["en", "tr"]
LANGUAGES: tuple[Language, Language] = ("en", "tr")


def language_of(tag: str) -> Language:
    """The language that serves a tag such as "tr-TR" or "de": Turkish for Turkish, English for all others."""
    return "tr" if tag.replace("_", "-").split("-", 1)[0].strip().lower() == "tr" else "en"
