"""A mail server for tests. Its one argument is JSON: tls (starttls, implicit, none), certificate, key, user, password, file.

It prints its port, and appends each mail that it takes to `file`, as a line of JSON.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

settings = json.loads(sys.argv[1])


class Taken:
    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.content.decode(),
            "authenticated": bool(session.authenticated),
        }
        with open(settings["file"], "a", encoding="utf-8") as file:
            file.write(json.dumps(mail) + "\n")
        return "250 taken"


def authenticate(server, session, envelope, mechanism, login):
    wanted = (settings["user"].encode(), settings["password"].encode())
    if (login.login, login.password) == wanted:
        return AuthResult(success=True)
    # As no server should: it says what it was told.
    said = login.password.decode()
    return AuthResult(success=False, handled=False, message=f"535 5.7.8 {said} is no password of ours")


async def main():
    context = None
    if settings["tls"] != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings["certificate"], settings["key"])
    starttls = settings["tls"] == "starttls"

    def protocol():
        return SMTP(
            Taken(),
            hostname="mail.example.com",
            require_starttls=starttls,
            tls_context=context if starttls else None,
            authenticator=authenticate,
            auth_required=bool(settings["user"]),
            auth_require_tls=starttls,
        )

    implicit = context if settings["tls"] == "implicit" else None
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=implicit)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
