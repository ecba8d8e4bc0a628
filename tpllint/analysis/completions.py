"""What a model wrote through a template, held against what the template makes of turns."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tpllint.analysis.loops import Loop, loop_at_end
from tpllint.analysis.renders import Render
from tpllint.conversations import Conversation, canonical
from tpllint.markers import BARE_MARKER, THINKING, before_thinking, common_prefix, first_marker
from tpllint.replies import Fit, Generated, Reply

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

ASSISTANT = "assistant"
NEAR_THE_END = 200
"""So many characters of a prompt may open the reasoning that a completion goes on with."""
LIKE_HTML = re.compile(r"</?[a-zA-Z]+\d?>")
"""What may be a token, such as the end of sequence, and may as well be in an answer that is a web page."""
ANSWERED = ("user-assistant", "reasoning-last", "think-tags-last")
SHORTEST_OPENER = 3
ENDS_OF_TEXT = ("bos_token", "eos_token", "pad_token", "unk_token")
OF_TURNS = frozenset(("user", "human", "assistant", "system", "inst", "turn", "im", "eot", "bos", "eos", "pad", "unk"))
END_WORDS = ("s", "end", "endoftext", "end of text", "begin of text", "end of sentence", "begin of sentence")
"""The words in tokens that stand between texts and turns, and never in an answer; other special tokens may mean anything."""


class Completion:
    """What the model wrote to one prompt; `conversation` is what the prompt was made of."""

    def __init__(self, template: Template, reply: Reply, conversation: Conversation) -> None:
        self._template = template
        self.reply = reply
        self.conversation = conversation
        self.text = reply.text
        self.stop = reply.stop

    @property
    def continues(self) -> bool:
        """Whether it goes on with an answer that the conversation has begun."""
        messages = self.conversation.messages
        return bool(messages) and messages[-1].get("role") == ASSISTANT

    @functools.cached_property
    def render(self) -> Render:
        """The prompt that it was written to."""
        if self.continues:
            return self._template.continued(self.conversation)
        return self._template.render_conversation(self.conversation, generation_prompt=True)

    @functools.cached_property
    def said_before(self) -> str:
        """All that the conversation holds, as text: what is named there may be named in an answer."""
        return f"{self.conversation.messages}{self.conversation.tools}{self.conversation.documents}"

    @functools.cached_property
    def passed(self) -> str | None:
        """The first marker in it that ends an answer, or the end of sequence; None where nothing was written after it.

        Where it ran to its limit, nothing need follow: it would have stopped.
        """
        completions = self._template.completions
        eos = completions.special("eos_token")
        ends = (*completions.ends, *([eos] if eos in self.reply.control and eos not in completions.own_markers else ()))
        at, end = min(((at, end) for end in ends if (at := self.find(end)) is not None), default=(0, ""))
        return end if end and (self.stop is None or BARE_MARKER.sub("", self.text[at:]).strip()) else None

    @property
    def goes_on(self) -> bool:
        """Whether nothing stopped it at the end of its answer, but something else did later, or its limit."""
        return self.passed is not None and self.stop not in self._template.completions.ends

    @functools.cached_property
    def loop(self) -> Loop | None:
        """The words that it ends with over and over."""
        return loop_at_end(self.text)

    @functools.cached_property
    def another_turn(self) -> str | None:
        """The first thing in it that belongs between turns, other than the header of the answer at its beginning."""
        completions = self._template.completions
        openers = (word for word in completions.openers if word not in completions.own_openers)
        tokens = (word for word in self.reply.control if completions.is_of_turns(word))
        begins = len(self.text) - len(self.text.lstrip()) + len(self.header or "")
        found = [(at, -len(word), word) for word in openers if (at := self.find_opener(word, begins)) is not None]
        found += [(at, -len(word), word) for word in tokens if (at := self.find(word, begins)) is not None]
        return min(found, default=(0, 0, None))[2]

    @functools.cached_property
    def header(self) -> str | None:
        """The header of an answer with which it begins, or the words of one; None where it does not."""
        text = self.text.lstrip()
        completions = self._template.completions
        known = [word for word in completions.headers if text.startswith(word)]
        known += [word for word in completions.header_words if text.startswith(f"{word}\n")]
        return known[0] if known else None

    @property
    def without_reasoning_tags(self) -> str:
        """Its text without what opens and closes reasoning."""
        tags = self._template.reasoning.tags
        text = self.text if tags is None else self.text.replace(tags.open, "").replace(tags.close, "")
        return THINKING.sub("", text)

    @property
    def in_reasoning(self) -> bool:
        """Whether it ends while its reasoning is still open."""
        tags, seen = self._template.reasoning.tags, (self.render.text or "")[-NEAR_THE_END:] + self.text
        if tags is not None and tags.open in seen:
            return seen.rfind(tags.open) > seen.rfind(tags.close)
        opened = THINKING.findall(seen)
        return bool(opened) and "/" not in opened[-1]

    @property
    def reasons(self) -> bool:
        """Whether reasoning is a part of it, or of how its prompt ends."""
        tags, seen = self._template.reasoning.tags, (self.render.text or "")[-NEAR_THE_END:] + self.text
        return (tags is not None and tags.open in seen) or THINKING.search(seen) is not None

    @property
    def answer(self) -> str:
        """What of it is an answer: not its reasoning, nor what it writes after its end."""
        text = self.text.partition(self.passed)[0] if self.passed else self.text
        tags = self._template.reasoning.tags
        closers = [*([tags.close] if tags is not None else ()), *(tag for tag in THINKING.findall(text) if "/" in tag)]
        begin = max((at + len(closer) for closer in closers if (at := text.rfind(closer)) >= 0), default=0)
        return text[begin:]

    def find(self, marker: str, start: int = 0) -> int | None:
        """Where, from an offset on, a marker stands in it that means what it means in a prompt; None where none does.

        What the conversation speaks of is only spoken of, and what is like HTML may be HTML where it is no token.
        """
        if marker in self.said_before or (LIKE_HTML.fullmatch(marker) and marker not in self.reply.control):
            return None
        at = self.text.find(marker, start)
        return None if at < 0 else at

    def find_opener(self, opener: str, start: int) -> int | None:
        """Where it opens a turn this way: with words alone only at the beginning of a line."""
        if BARE_MARKER.search(opener):
            return self.find(opener, start)
        found = re.compile(rf"^[ \t]*{re.escape(opener)}", re.MULTILINE).search(self.text, start)
        return None if found is None or opener in self.said_before else found.start()


class Completions:
    """What the model wrote through one template. Only what was written to a prompt that the template makes here counts."""

    def __init__(self, template: Template, generated: Generated | None) -> None:
        self._template = template
        self._generated = generated or Generated(())

    @property
    def fit(self) -> Fit | None:
        """How well reference answers go with the template; None where nobody knows."""
        return self._generated.fit

    @functools.cached_property
    def all(self) -> tuple[Completion, ...]:
        """Every completion, in the order in which the model was asked."""
        known = {**canonical(), **{each.name: each for each in self._template.own_conversations}}
        replies = (reply for reply in self._generated.replies if reply.conversation in known)
        found = (Completion(self._template, reply, known[reply.conversation]) for reply in replies)
        return tuple(one for one in found if one.render.text is not None)

    def among(self, found: Sequence[Completion], noun: str = "answers") -> str:
        """Of how many answers something is true, as the end of a sentence; nothing where there is one answer in all."""
        return "" if len(self.all) == 1 else f", in {len(found)} of {len(self.all)} {noun}"

    def special(self, name: str) -> str:
        """A special token, such as `eos_token`; empty where no file tells it."""
        return (self._template.tokens.get(name) or "") if self._template.tokens_known else ""

    @functools.cached_property
    def ends(self) -> tuple[str, ...]:
        """The markers that end an answer after which nothing follows or, where there are none, one in the middle of a chat."""
        anatomy = self._template.anatomy
        return tuple(self._ends(anatomy.assistant_end or "")) or tuple(self._ends(anatomy.assistant_closer or ""))

    def _ends(self, text: str) -> Iterator[str]:
        opening = f"{self._template.anatomy.generation_prompt}{self.openers}"
        eos = self.special("eos_token")
        markers = dict.fromkeys((*BARE_MARKER.findall(text), *([eos] if eos and eos in text else ())))
        return (marker for marker in markers if marker not in opening)

    @functools.cached_property
    def header(self) -> str:
        """What opens an answer in the history, up to where reasoning begins; else what the generation prompt says.

        Nothing where a question always brings the header with it: what else opens an answer then is the model's to write.
        """
        anatomy = self._template.anatomy
        opening, ended = anatomy.assistant_opening or "", anatomy.user_end or ""
        opener = first_marker((anatomy.between_rounds or "").removeprefix(anatomy.assistant_closer or ""))
        if opener and opener in ended and not anatomy.generation_prompt:
            return ""
        return before_thinking(opening.removeprefix(ended) if opening != ended else anatomy.generation_prompt or "").strip()

    @functools.cached_property
    def headers(self) -> tuple[str, ...]:
        """All that opens an answer where a prompt has not done so, or once more where it has."""
        prompted = before_thinking(self._template.anatomy.generation_prompt or "").strip()
        return tuple(header for header in dict.fromkeys((self.header, prompted)) if _opens(header))

    @property
    def header_words(self) -> tuple[str, ...]:
        """What headers say beside their markers, such as `assistant`."""
        words = (BARE_MARKER.sub("", header).strip() for header in self.headers)
        return tuple(word for word in words if word.isalpha())

    @functools.cached_property
    def openers(self) -> tuple[str, ...]:
        """What opens the turns of users, of the system and of the assistant, blanks beside them left out."""
        anatomy, bos = self._template.anatomy, self._template.tokens.get("bos_token") or ""
        after_answer = (anatomy.between_rounds or "").removeprefix(anatomy.assistant_closer or "").lstrip()
        system = anatomy.gaps("system-user") or ("",)
        found = (after_answer.removeprefix(bos), system[0].removeprefix(bos), self.header)
        return tuple(dict.fromkeys(each for text in found if _opens(each := text.strip())))

    @functools.cached_property
    def own_markers(self) -> frozenset[str]:
        """The markers that belong into answers: of reasoning, of tool calls and whatever else the template writes there."""
        tags = self._template.reasoning.tags
        told = (*self._written(), *((tags.open, tags.close) if tags else ()), *self._template.reasoning.cut_at)
        return frozenset(marker for text in told for marker in BARE_MARKER.findall(text))

    def is_of_turns(self, token: str) -> bool:
        """Whether a special token stands between turns or texts, and in no answer that the template writes."""
        if token in self.own_markers or token in self.ends:
            return False
        if any(token in opener for opener in self.openers) or token in map(self.special, ENDS_OF_TEXT):
            return True
        words = re.findall(r"[a-z]+", token.lower())
        return not OF_TURNS.isdisjoint(words) or " ".join(words) in END_WORDS

    @functools.cached_property
    def own_openers(self) -> frozenset[str]:
        """The openers that the template itself writes in the middle of an answer, as some do between reasoning and words."""
        return frozenset(opener for opener in self.openers if any(opener in text for text in self._written()))

    def _written(self) -> Iterator[str]:
        """What the template writes of answers from where its generation prompt ends."""
        calls, form = self._template.tool_histories, self._template.tool_histories.usual
        found = [self._template.reasoning.conversation(name, state) for name in ANSWERED for state in self._states]
        found += [] if form is None else [calls.conversation(name, form).first(2) for name in ("tool-call", "tool-loop")]
        for conversation in found:
            keep_none = form is not None and form.keeps_none
            whole = self._template.render_conversation(conversation, keep_none=keep_none).text
            asked = self._template.render_conversation(conversation.first(1), generation_prompt=True).text
            if whole is not None and asked is not None:
                yield whole[common_prefix(asked, whole) :]

    @property
    def _states(self) -> tuple[tuple[tuple[str, object], ...], ...]:
        shown = self._template.reasoning.shown
        return ((),) if shown is None or not shown[1] else ((), shown[1])


def _opens(text: str) -> bool:
    """Whether words that open a turn are more than any line may begin with."""
    marked = BARE_MARKER.search(text) is not None or text.endswith(":") or text.startswith("#")
    return marked and len(text) >= SHORTEST_OPENER
