"""Takes the name and the code of a built-in rule."""

from tpllint import Rule, Severity


class Again(Rule):
    """A second rule of this name."""

    code = "TPL001"
    name = "template-syntax-error"
    category = "syntax"
    severity = Severity.ERROR
