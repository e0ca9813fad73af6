"""How alarms leave the desk: web push, mail, signed webhooks. The rules are in `inbox.alarms`."""
