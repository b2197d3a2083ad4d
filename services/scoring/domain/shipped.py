"""The profiles that ship, good untrained, and which of them a workspace's touchpoints ask for."""

from collections.abc import Collection

from services.scoring.domain.profiles import (
    AdoptionRule,
    BreadthRule,
    ComponentName,
    Profile,
    RelationshipRule,
    RiskRule,
    TrendRule,
    validated,
)

# Use outweighs the rest: silence alone is red where all else is perfect.
_BY_USE: dict[ComponentName, float] = {
    "adoption": 0.65,
    "support": 0.12,
    "commercial": 0.10,
    "feedback": 0.06,
    "relationship": 0.04,
    "enablement": 0.03,
    "people": 0.15,
}

SAAS = Profile(
    name="saas",
    weights=_BY_USE,
    adoption=AdoptionRule(
        act="use",
        half_life_days=14,
        enough=3.0,
        least_gap_days=7,
        gone=3.0,
        breadth=BreadthRule(),
        trend=TrendRule(),
    ),
    risk=RiskRule(horizon_days=30, base=-3.9, health=3.2, silence=1.0, yellow=0.1, red=0.3),
)
COMMERCE = Profile(
    name="commerce",
    weights=_BY_USE,
    adoption=AdoptionRule(act="purchase", half_life_days=90, enough=0.5, least_gap_days=14, gone=6.0),
    risk=RiskRule(horizon_days=90, base=-0.6, health=2.2, silence=1.2, yellow=0.6, red=0.85),
)
APP = Profile(
    name="app",
    weights=_BY_USE,
    adoption=AdoptionRule(act="opening", half_life_days=7, enough=2.0, least_gap_days=2, gone=4.0, trend=TrendRule()),
    risk=RiskRule(horizon_days=30, base=-1.8, health=2.8, silence=1.2, yellow=0.3, red=0.6),
)
SERVICES = Profile(
    name="services",
    weights={
        "relationship": 0.40,
        "commercial": 0.20,
        "feedback": 0.15,
        "support": 0.15,
        "adoption": 0.05,
        "enablement": 0.05,
        "people": 0.15,
    },
    adoption=AdoptionRule(act="use", half_life_days=90, enough=1.0, least_gap_days=30, gone=3.0),
    relationship=RelationshipRule(calm_days=30, gone_days=120),
    risk=RiskRule(horizon_days=90, base=-2.5, health=3.0, silence=1.0, yellow=0.2, red=0.45),
)
SHIPPED = {profile.name: validated(profile) for profile in (SAAS, COMMERCE, SERVICES, APP)}

_BY_RULES = {"subscription": SAAS, "shop": COMMERCE, "app": APP}


def shipped_for(rules: str, connected: Collection[str]) -> Profile:
    """The profile for the rule set that a journey's stages are based on; saas for one we do not know.

    Who is never seen to use anything, and is talked to, is served: theirs is *services*.
    """
    if "relationship" in connected and "adoption" not in connected:
        return SERVICES
    return _BY_RULES.get(rules, SAAS)
