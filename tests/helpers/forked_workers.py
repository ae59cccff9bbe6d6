"""Workers of a campaign that start fast: forks of a server that has imported everything."""

import multiprocessing

from helpers.fault_worker import work


class ForkedWorkers:
    """Starts workers on the launchpad of a campaign."""

    def __init__(self, campaign):
        self.campaign = campaign
        self.n_started = 0
        self.server = multiprocessing.get_context("forkserver")
        self.server.set_forkserver_preload(["helpers.fault_worker"])

    def start(self, ping_s=None, clock_off_s=0.0):
        """Start a worker; its reporting interval and its clock may be changed."""
        self.n_started += 1
        arguments = (str(self.campaign.folder), self.n_started, ping_s, clock_off_s)
        process = self.server.Process(target=work, args=arguments)
        process.start()
        return process
