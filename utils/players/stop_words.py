"""Words without a meaning of their own: English articles, pronouns, auxiliaries, prepositions,
conjunctions and parts of contractions.

The paper leaves out "words without clear semantics, such as stop words" (Cheng et al. 2024, App.
M.1) and prints no list; this one is ours. Negations (not, no, never, nothing), quantities (few,
most, more) and degrees (too, very) stay: what they do to their neighbours is what interactions are
about.
"""

from __future__ import annotations

__all__ = ["STOP_WORDS", "has_meaning"]

_LIST = """
a an the
i me my mine myself we us our ours ourselves you your yours yourself yourselves
he him his himself she her hers herself it its itself they them their theirs themselves
one oneself this that these those who whom whose which what whoever whatever whichever
there here
am is are was were be been being has have had having do does did doing done
can could will would shall should may might must ought
ca wo sha ai
about above across after against along among around as at before behind below beneath beside
besides between beyond by despite down during except for from in inside into like near of off
on onto out outside over per since through throughout to toward towards under until unto up
upon via with within
and or but if then than so because although though while whereas whether unless nor either both
when where why how whenever wherever
also such same other another any each every some
s t d ll m re ve n
"""
STOP_WORDS = frozenset(_LIST.split())


def has_meaning(word: str) -> bool:
    """Whether a word can be a player: it has a letter, is no stop word and no part of a contraction
    (what holds an apostrophe: 's, n't)."""
    plain = word.lower()
    return (
        any(letter.isalpha() for letter in plain) and "'" not in plain and plain not in STOP_WORDS
    )
