"""Triggers as a slow state machine: one contact, one trigger, one evaluation at a time, as the text says it.

Rows are dicts of a result's columns and the contact's attributes. Nothing is forgotten and nothing is packed:
the machine keeps every contact's whole last row.
"""

from oracle_events import holds, micros

NOBODY = {"score": 0, "engagement": 0, "level": "none"}


class Machine:
    """Evaluations one after the other, of triggers as a model file has them."""

    def __init__(self, triggers):
        self.triggers = triggers
        self.last = {}
        self.armed, self.waiting, self.fired = {}, {}, {}
        self.begun = False

    def evaluate(self, rows, at):
        """Take the rows of an evaluation by contact; list who fires what, in their order."""
        found = [
            (contact, trigger["name"], self.last.get(contact, NOBODY).get("phase"))
            for contact, row in rows.items()
            for trigger in self.triggers
            if self.fires(contact, trigger, row, at)
        ]
        self.last |= rows
        self.begun = True
        return found

    def fires(self, contact, trigger, row, at):
        """Tell whether a trigger fires, and remember what follows."""
        if not self.begun:
            return False
        key, before = (contact, trigger["name"]), self.last.get(contact, NOBODY)
        now = holds(trigger["when"], row)
        until = holds(trigger["until"], row) if "until" in trigger else not now
        if until:
            self.armed[key] = True
        if not now:
            self.waiting[key] = False
            return False
        rose = not holds(trigger["when"], before) and holds(trigger.get("was"), before)
        if not (rose and self.armed.get(key, True)) and not self.waiting.get(key, False):
            return False
        if "cooldown" in trigger and key in self.fired:
            cool_from = self.fired[key] + micros(trigger["cooldown"])
            if at < cool_from:
                self.waiting[key] = True
                return False
        self.fired[key] = at
        self.armed[key] = self.waiting[key] = False
        return True
