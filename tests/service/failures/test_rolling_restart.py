"""A deployment: SIGTERM restarts every gateway and worker under load, one after another."""

import random
import signal
from contextlib import ExitStack
from dataclasses import dataclass

from embedded import Urls
from models.audit.verify import verify
from server.uvicorn_server import listen
from tests.service.support.audit import assert_balances, settle
from tests.service.support.faults import DEPOSIT, twelve_players
from tests.service.support.http import http_client
from tests.service.support.load import PATIENCE_SECONDS, Load, random_bet
from tests.service.support.processes import Process, until
from tests.service.support.world import World


class SharedGateway(Process):
    """A gateway as an operator runs it, on a port that it shares with others."""

    _login = "gateway"

    def __init__(self, urls: Urls, descriptor: int) -> None:
        command = ("ops.cli", "gateway", "--fd", str(descriptor))
        super().__init__(urls, *command, pass_fds=(descriptor,))

    def wait_ready(self) -> None:
        """Wait until it accepts connections."""
        until(lambda: "ready" in self.output, lambda: self.output)


class RepeatingLoad(Load):
    """Bets as providers send them: one that is not done is repeated once, immediately."""

    def _bet(self, number: int) -> None:
        chance = random.Random(number)
        try:
            with http_client(PATIENCE_SECONDS) as http:
                while not self._ended.is_set():
                    bet = random_bet(chance, chance.choice(self.players))
                    self.bets.append(bet)
                    url = chance.choice(self.urls)
                    if bet.ask(http, url) != 1:
                        bet.ask(http, url)
        except BaseException as error:
            self._errors.append(error)


@dataclass
class Fleet:
    """Gateways that share one port, and workers. Each is replaced when the last one is ready."""

    world: World
    descriptor: int
    gateways: list[SharedGateway]
    ending: ExitStack

    def add_gateway(self) -> None:
        """Start another gateway and wait until it accepts connections."""
        started = self.ending.enter_context(SharedGateway(self.world.urls, self.descriptor))
        started.wait_ready()
        self.gateways.append(started)

    def restart_all(self, running: Load) -> None:
        """Stop each process that runs now, and start another in its place, under load."""
        for gateway in self.gateways[:]:
            stop(gateway)
            running.wait_for(20, 1)
            self.add_gateway()
        for worker in self.world.workers[:]:
            stop(worker)
            self.world.workers.remove(worker)
            running.wait_for(20, 1)
            self.world.worker()


def test_every_process_is_restarted_under_load_and_one_repeat_resolves_every_bet(
    own_world: World,
) -> None:
    players = twelve_players(own_world)
    with ExitStack() as ending:
        listener = ending.enter_context(listen("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        fleet = Fleet(own_world, listener.fileno(), [], ending)
        for _ in range(2):
            fleet.add_gateway()
            own_world.worker()
        with RepeatingLoad(players, [url], threads=4) as running:
            running.wait_for(30, 1)
            fleet.restart_all(running)
            running.wait_for(30, 1)

        answers = [bet.codes for bet in running.bets]
        assert all(codes[-1] == 1 and len(codes) <= 2 for codes in answers), answers
        settle(own_world, running.bets, url)
        assert_balances(own_world, running.bets, DEPOSIT)
        assert verify(own_world.urls.database).ok


def stop(process: Process) -> None:
    """End it as a process manager does. It has finished its work then."""
    process.signal(signal.SIGTERM)
    assert process.wait() == 0, process.output
