"""Workers of a campaign that start fast: forks of a server that has imported everything."""

from helpers.fault_worker import work
from helpers.fork_server import fork_server


class ForkedWorkers:
    """Starts workers on the launchpad of a campaign."""

    def __init__(self, campaign):
        self.campaign = campaign
        self.n_started = 0
        self.server = fork_server(work.__module__)

    def start(self, ping_s=None, clock_off_s=0.0):
        """Start a worker; its reporting interval and its clock may be changed."""
        self.n_started += 1
        arguments = (str(self.campaign.folder), self.n_started, ping_s, clock_off_s)
        process = self.server.Process(target=work, args=arguments)
        process.start()
        return process
