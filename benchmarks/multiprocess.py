"""A server of several processes with the sockets of `tessera api`. Arguments: `APPLICATION PORT PROCESSES`."""

import sys

import uvicorn
from uvicorn.supervisors import Multiprocess

from tessera.kit.sockets import bind

if __name__ == "__main__":
    application, port, processes = sys.argv[1:]
    configuration = uvicorn.Config(
        application, factory=True, workers=int(processes), log_level="error", access_log=False, proxy_headers=False
    )
    Multiprocess(configuration, sockets=[bind("127.0.0.1", int(port), processes=int(processes))]).run()
