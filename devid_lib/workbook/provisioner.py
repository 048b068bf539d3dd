"""What makes jupyter_client take the kernel that `launch` has forked: named in pyproject.toml and the environment."""

from jupyter_client.provisioning import LocalProvisioner

from . import launch


class ForkedProvisioner(LocalProvisioner):
    """A kernel that waits already, in place of a new interpreter."""

    async def launch_kernel(self, cmd, **kwargs):
        """Tell the kernel its connection file."""
        self.process, launch.Kernel.waiting = launch.Kernel.waiting, None
        self.process.teller.send(cmd[cmd.index("-f") + 1])
        self.pid = self.pgid = self.process.pid
        return self.connection_info
