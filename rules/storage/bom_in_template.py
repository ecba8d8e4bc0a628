from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Edit, Good, Place, Problem, Rewrite, Rule, Severity, Template

MARK = "\ufeff"
CHAT = "{% for m in messages %}{{ m.content }}{% endfor %}"


class BomInTemplate(Rule):
    """A template begins with a byte order mark, which becomes the first character of every prompt.

    ## What it does
    Looks at the first character of the template, and whether the prompt of a plain chat begins with it too.

    ## Why is this bad
    Some editors write the invisible character U+FEFF in front of a UTF-8 file. transformers and other readers keep it, so it is
    a token of its own before the beginning of sequence: a prompt that the model has never seen.

    ## References
    - [Unicode: byte order mark](https://www.unicode.org/faq/utf_bom.html)
    """

    code = "TPL012"
    name = "bom-in-template"
    category = "storage"
    severity = Severity.ERROR
    examples = (
        Bad(
            files={"tokenizer_config.json": '{"chat_template": "\\ufeff' + CHAT + '"}'},
            says="the template begins with a byte order mark, and so does every prompt",
            better_files={"tokenizer_config.json": '{"chat_template": "' + CHAT + '"}'},
        ),
        Bad(MARK + CHAT, says="the template begins with a byte order mark, and so does every prompt", better=CHAT),
        Good(CHAT),
        Good("{#- no mark #}" + CHAT),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        render = template.render("user", generation_prompt=True)
        marks = MARK * (len(template.text) - len(template.text.lstrip(MARK)))
        if marks and (render.text or "").startswith(MARK):
            yield Problem(
                "the template begins with a byte order mark, and so does every prompt",
                help="save the file as UTF-8 without a byte order mark"
                if template.file.endswith(".jinja")
                else "take U+FEFF out of the beginning of the template",
                place=Place(0, 1),
                render=render,
                shows=(0, 1),
                fix=Rewrite((Edit(Place(0, len(marks)), ""),), loses=marks),
            )
