"""A studio file that is right, with secrets that are easily found again."""

SECRETS = {"p8e-TopSecret", "2ngrokTopSecret", "discordTopSecret"}
GOOD = """
[studio]
name = "north"
naming = "wip_byshot"

[studio.retry_policy]
attempts = 5

[frameio]
project = "UNDERLAMES"
account = "Studio"

[adobe]
kind = "web"
client_id = "0123456789abcdef"
client_secret = "p8e-TopSecret"

[tunnel]
authtoken = "2ngrokTopSecret"
domain = "north.ngrok.app"

[discord]
url = "https://discord.com/api/webhooks/1/discordTopSecret"
"""
