"""The whole ``spine-node`` with another inference child, in every process that it starts.

Run: ``python -m tests.builders.stub_node 'COMMAND ...' serve --config FILE``.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from app.cli import main as command_line
from app.cli import node
from tests.builders.stub_worker import replace_inference


def main() -> None:
    inference, *arguments = sys.argv[1:]

    def role_command(role: str, options: Sequence[str]) -> list[str]:
        words = [sys.executable, "-m", "tests.builders.stub_node", inference]
        return [*words, role, "--child", *options]

    replace_inference(shlex.split(inference))
    node.role_command = role_command
    sys.argv = ["spine-node", *arguments]
    command_line.main()


if __name__ == "__main__":
    main()
