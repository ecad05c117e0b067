"""That a client which is not ours understands the double: Telethon, with all its checks. Prints a line for each scenario and
ends with 1 when any failed."""

import asyncio
import inspect
import sys
import time
import traceback

import logins
import protocol
from telegram import Double

scenarios = [one for module in (logins, protocol) for one in vars(module).values() if inspect.iscoroutinefunction(one)]


async def main():
    double = Double(*sys.argv[1:])
    # An error that nobody waits for is one that was ordered; Telethon says it twice.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    failed = 0
    for scenario in scenarios:
        name = scenario.__name__.replace("_", " ")
        start = time.monotonic()
        try:
            await asyncio.wait_for(scenario(double), 60)
            print(f"ok: {name} ({time.monotonic() - start:.1f} s)", flush=True)
        except Exception:
            print(f"failed: {name}", flush=True)
            traceback.print_exc()
            failed = 1
    sys.exit(failed)


asyncio.run(main())
