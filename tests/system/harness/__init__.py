# SPDX-License-Identifier: MIT
"""What system tests and the demo stand on: pods, misbehaving pods, the binary, the runner. Standard library only."""
