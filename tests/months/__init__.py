"""The simulation test: months of a hoster's life in minutes, with faults everywhere and an oracle that knows the truth.

(Not to be mixed up with ``tests/simulation``, the tests of the simulated Plesk and the simulated DNS of the demo.)

``story`` tells from one seed what customers, administrators and faults do; ``world`` makes it happen to panels and
public DNS; ``hoster`` lets the real program meet it through its ports, killed at any call of them; ``oracle`` holds
what was done against the truth; ``shrink`` finds the shortest story that still fails; ``run`` is the command.
"""
