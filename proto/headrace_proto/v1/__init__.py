"""Version 1 of the protocol. Generated from the ``.proto`` files beside this one."""
