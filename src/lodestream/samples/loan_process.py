"""How a bank of our invention handles loan applications: steps, roles with their hours, and the ways a case can
take."""

from random import Random

#: Loans above this need a manager.
MANAGER_LIMIT = 20_000

MINUTE, HOUR, DAY = 60, 3_600, 86_400

#: role -> (opens, closes, people). Hours of working days; the system never sleeps.
ROLES: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "System": (0, 24, ("LoanPortal",)),
    "Customer": (0, 24, ("Customer",)),
    "Clerk": (8, 17, ("Anna", "Bruno", "Chloé", "Deniz", "Elif", "Farid", "Greta", "Hugo")),
    "Credit Analyst": (8, 18, ("Ines", "Jonas", "Kerem", "Lena", "Marco")),
    "Fraud Analyst": (9, 17, ("Nadia", "Oskar")),
    "Manager": (9, 16, ("Petra", "Quentin")),
    "Back Office": (7, 16, ("Rosa", "Stefan", "Tuğba")),
}

#: activity -> (role, typical wait before it in minutes, typical work in minutes).
STEPS: dict[str, tuple[str, int, int]] = {
    "Submit Application": ("Customer", 0, 12),
    "Check Completeness": ("Clerk", 90, 15),
    "Request Documents": ("Clerk", 25, 6),
    "Receive Documents": ("Customer", 1_500, 4),
    "Credit Check": ("System", 5, 2),
    "Fraud Check": ("Fraud Analyst", 240, 45),
    "Risk Assessment": ("Credit Analyst", 200, 50),
    "Manager Approval": ("Manager", 7_200, 20),
    "Make Offer": ("Clerk", 120, 18),
    "Revise Offer": ("Clerk", 150, 20),
    "Accept Offer": ("Customer", 1_200, 5),
    "Decline Offer": ("Customer", 1_800, 5),
    "Sign Contract": ("Customer", 700, 10),
    "Reject Application": ("Credit Analyst", 60, 8),
    "Pay Out Loan": ("Back Office", 180, 6),
    "Close Case": ("System", 3, 1),
}


def opening(time: int, opens: int, closes: int) -> int:
    """The first instant at or after `time` at which somebody with these hours works."""
    if closes - opens == 24:
        return time
    day, second = divmod(time, DAY)
    if second >= closes * HOUR:
        day, second = day + 1, 0
    # 1 January 1970 was a Thursday.
    weekday = (day + 3) % 7
    if weekday >= 5:
        day, second = day + 7 - weekday, 0
    # Whoever waited overnight is not served at the stroke of the hour: by their place in the queue.
    return day * DAY + (second if second >= opens * HOUR else opens * HOUR + time % (2 * HOUR))


def way(random: Random, amount: int) -> tuple[str, list[str]]:
    """A way through the process: its name and its activities."""
    name, steps = [], ["Submit Application", "Check Completeness"]
    for _ in range(_rounds(random)):
        steps += ["Request Documents", "Receive Documents", "Check Completeness"]
        name.append("rework")
    steps.append("Credit Check")
    if random.random() < 0.17:
        return " + ".join(["rejected by credit check", *name]), [*steps, "Reject Application", "Close Case"]
    if random.random() < 0.08:
        steps.append("Fraud Check")
        name.append("fraud check")
        if random.random() < 0.2:
            return " + ".join(["rejected for fraud", *name]), [*steps, "Reject Application", "Close Case"]
    steps.append("Risk Assessment")
    if amount > MANAGER_LIMIT:
        steps.append("Manager Approval")
        name.append("manager approval")
        if random.random() < 0.15:
            return " + ".join(["rejected by manager", *name]), [*steps, "Reject Application", "Close Case"]
    steps.append("Make Offer")
    while random.random() < 0.1 and steps.count("Revise Offer") < 3:
        steps.append("Revise Offer")
    if "Revise Offer" in steps:
        name.append("revised offer")
    if random.random() < 0.12:
        return " + ".join(["declined by customer", *name]), [*steps, "Decline Offer", "Close Case"]
    return " + ".join(["paid out", *name]), [*steps, "Accept Offer", "Sign Contract", "Pay Out Loan", "Close Case"]


def _rounds(random: Random) -> int:
    """How often documents are asked for."""
    draw = random.random()
    return 0 if draw < 0.68 else 1 if draw < 0.9 else 2 if draw < 0.98 else 3
