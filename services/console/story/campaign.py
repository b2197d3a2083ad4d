"""The story's retention campaign: a mail to whoever turns red, in their language."""

NAME = "story-retention"

_EN = """Hello {{ customer.first_name | default: "there" }},

we have noticed that things are not going as well as they should for you:
{% for reason in because %}
  - {{ reason }}{% endfor %}

A person of our team is looking at it now. Just answer this mail: it reaches us directly.

Thank you for your patience.
"""
_EN_HTML = """<p>Hello {{ customer.first_name | default: "there" }},</p>
<p>we have noticed that things are not going as well as they should for you:</p>
<ul>{% for reason in because %}<li>{{ reason }}</li>{% endfor %}</ul>
<p>A person of our team is looking at it now. Just answer this mail: it reaches us directly.</p>
<p>Thank you for your patience.</p>"""
_PT = """Olá{% if customer.first_name %}, {{ customer.first_name }}{% endif %}!

Percebemos que as coisas não vão tão bem quanto deveriam para você:
{% for reason in because %}
  - {{ reason }}{% endfor %}

Uma pessoa da nossa equipe já está cuidando disso. Responda a este e-mail: ele chega direto a nós.

Obrigado pela paciência.
"""
_PT_HTML = """<p>Olá{% if customer.first_name %}, {{ customer.first_name }}{% endif %}!</p>
<p>Percebemos que as coisas não vão tão bem quanto deveriam para você:</p>
<ul>{% for reason in because %}<li>{{ reason }}</li>{% endfor %}</ul>
<p>Uma pessoa da nossa equipe já está cuidando disso. Responda a este e-mail: ele chega direto a nós.</p>
<p>Obrigado pela paciência.</p>"""

CAMPAIGN: dict[str, object] = {
    "motive": "retention",
    "purpose": "marketing",
    "channel": "email",
    "entry": {"score": "health", "to": "red"},
    "language": "en",
    "messages": {
        "en": {"subject": "How can we put this right?", "text": _EN, "html": _EN_HTML},
        "pt-BR": {"subject": "Como podemos resolver isso para você?", "text": _PT, "html": _PT_HTML},
    },
    # Whoever loads the story wants to see the mail now, at whatever hour.
    "quiet_hours": None,
    "cap": {"messages": 1, "days": 1},
}
