"""Reasons in words: texts in English and Brazilian Portuguese, made from the numbers and nothing else."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from jornada.events import Reason

LANGUAGES = ("en", "pt-BR")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_Values = Mapping[str, Any]
_Text = Callable[[_Values], str]

_STAGES_PT = {
    "visitor": "visitante",
    "lead": "contato",
    "onboarding": "em ativação",
    "active": "ativo",
    "loyal": "fiel",
    "advocate": "promotor",
    "at_risk": "em risco",
    "churned": "perdido",
    "won_back": "reconquistado",
}

_BANDS_PT: dict[str, str] = {"green": "verde", "yellow": "amarela", "red": "vermelha", "unknown": "desconhecida"}


def reason(code: str, **values: Any) -> Reason:
    """A reason with its texts; raises KeyError for a code that has none."""
    english, portuguese = _TEXTS[code]
    return Reason(code=code, values=values, text={"en": english(values), "pt-BR": portuguese(values)})


def number_en(value: int) -> str:
    """1,234."""
    return f"{value:,}"


def number_pt(value: int) -> str:
    """1.234."""
    return f"{value:,}".replace(",", ".")


def date_en(day: date) -> str:
    """1 Apr 2026."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def date_pt(day: date) -> str:
    """01/04/2026."""
    return f"{day.day:02}/{day.month:02}/{day.year}"


def _en(count: int, one: str, many: str) -> str:
    return f"{number_en(count)} {one if count == 1 else many}"


def _pt(count: int, one: str, many: str) -> str:
    """In Brazilian Portuguese zero is singular too."""
    return f"{number_pt(count)} {one if count in {0, 1} else many}"


def _days_en(count: int) -> str:
    return _en(count, "day", "days")


def _days_pt(count: int) -> str:
    return _pt(count, "dia", "dias")


def _silent(what_en: str, what_pt: str) -> tuple[_Text, _Text]:
    def english(values: _Values) -> str:
        return f"no {what_en} for {_days_en(values['days'])}"

    def portuguese(values: _Values) -> str:
        return f"sem {what_pt} há {_days_pt(values['days'])}"

    return english, portuguese


def _recent(done_en: str, done_pt: str) -> tuple[_Text, _Text]:
    def english(values: _Values) -> str:
        days = values["days"]
        when = f"{_days_en(days)} ago" if days else "in the last 24 hours"
        return f"{done_en} {when}, on {_days_en(values['value_days'])} in all"

    def portuguese(values: _Values) -> str:
        days = values["days"]
        when = f"há {_days_pt(days)}" if days else "nas últimas 24 horas"
        return f"{done_pt} {when}, em {_days_pt(values['value_days'])} no total"

    return english, portuguese


def _tickets_en(values: _Values) -> str:
    count, days = values["count"], values["oldest_days"]
    age = f"for {_days_en(days)}" if days else "for less than a day"
    oldest = age if count == 1 else f"the oldest {age}"
    return f"{_en(count, 'open ticket', 'open tickets')}, {oldest}, worst severity {values['worst']}"


def _tickets_pt(values: _Values) -> str:
    count, days = values["count"], values["oldest_days"]
    age = f"há {_days_pt(days)}" if days else "há menos de um dia"
    oldest = age if count == 1 else f"o mais antigo {age}"
    opened = _pt(count, "chamado aberto", "chamados abertos")
    return f"{opened}, {oldest}, pior severidade {values['worst']}"


def _failed_en(values: _Values) -> str:
    days = values["days"]
    return f"payment failed {_days_en(days)} ago, not recovered" if days else "payment failed, not recovered"


def _failed_pt(values: _Values) -> str:
    days = values["days"]
    return f"pagamento falhou há {_days_pt(days)}, sem regularização" if days else "pagamento falhou, sem regularização"


def _seats_en(values: _Values) -> str:
    return (
        f"{number_en(values['used'])} of {_en(values['seats'], 'seat', 'seats')} used in 30 days ({values['percent']}%)"
    )


def _seats_pt(values: _Values) -> str:
    seats = _pt(values["seats"], "licença", "licenças")
    return f"{number_pt(values['used'])} de {seats} em uso em 30 dias ({values['percent']}%)"


_TEXTS: dict[str, tuple[_Text, _Text]] = {
    "use_silent": _silent("activity", "uso"),
    "use_recent": _recent("used", "usou"),
    "purchase_silent": _silent("purchase", "compras"),
    "purchase_recent": _recent("bought", "comprou"),
    "opening_silent": _silent("app opening", "abrir o app"),
    "opening_recent": _recent("opened the app", "abriu o app"),
    "no_open_tickets": (lambda _: "no open tickets", lambda _: "nenhum chamado aberto"),
    "open_tickets": (_tickets_en, _tickets_pt),
    "payments_in_order": (lambda _: "payments in order", lambda _: "pagamentos em dia"),
    "payment_failed": (_failed_en, _failed_pt),
    "payment_overdue": (
        lambda values: f"payment overdue for {_days_en(values['days'])}",
        lambda values: f"pagamento em atraso há {_days_pt(values['days'])}",
    ),
    "cancellation": (
        lambda values: f"cancellation takes effect on {date_en(date.fromisoformat(values['on']))}",
        lambda values: f"cancelamento com efeito em {date_pt(date.fromisoformat(values['on']))}",
    ),
    "stage_has_no_band": (
        lambda values: f"no band in the stage {values['stage']}",
        lambda values: f"sem faixa no estágio {_STAGES_PT.get(values['stage'], values['stage'])}",
    ),
    "low_coverage": (
        lambda values: f"only {values['percent']}% of what makes health is known",
        lambda values: f"só {values['percent']}% do que compõe a saúde é conhecido",
    ),
    "usual_risk": (
        lambda values: f"usual over {_days_en(values['horizon_days'])}, all being well",
        lambda values: f"habitual em {_days_pt(values['horizon_days'])}, se tudo vai bem",
    ),
    "usual_upsell": (lambda _: "usual, without a sign", lambda _: "habitual, sem sinal"),
    "seats_used": (_seats_en, _seats_pt),
    "health_too_low": (
        lambda values: f"health is {values['band']}: not the time to offer more",
        lambda values: f"saúde {_BANDS_PT[values['band']]}: não é hora de oferecer mais",
    ),
}
