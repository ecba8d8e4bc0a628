from tpllint import Bad, Good, Problem, Rule, Severity


class LicenceMissing(Rule):
    """The template does not name its licence."""

    code = "HOUSE001"
    name = "licence-missing"
    category = "hygiene"
    severity = Severity.WARNING
    static = True
    examples = (
        Bad("{{ messages[0].content }}", says="no comment names a licence"),
        Good("{# Licence: Apache-2.0 #}{{ messages[0].content }}"),
    )

    def check_template(self, template):
        if not any("Licence:" in text for _, text in template.comments):
            yield Problem("no comment names a licence", help="begin the template with {# Licence: ... #}")
