"""Names for runs that were given none."""

import secrets

_ADJECTIVES = """
amber ample ancient bold brave breezy bright brisk broad calm candid clear clever coastal cool crisp
curious daring deep dewy eager earnest even fair fleet flowing fluent foamy fresh gentle glad
gleaming golden grand hardy hazel honest humble icy jolly keen kind lively lucid mellow merry mighty
mild misty mossy nimble noble open patient placid polished proud quick quiet rapid ready rippling
rugged serene sharp shining silver sleek smooth snowy sparkling spirited stately steady still stout
sturdy subtle sunlit swift tidal tidy tranquil upland vivid warm willing windy wise young zesty
""".split()  # noqa: SIM905 - a list literal takes a line a word

_NOUNS = """
alder anchor axle barge basin beaver beck bend birch bridge brook canal cascade channel cog crane
creek current dam delta dipper dory eddy egret elm ferry fjord flume ford fountain gauge gear geyser
glacier gorge grayling grebe gully harbor heron inlet kayak keel kingfisher lagoon lake ledge lock
loon marsh meadow mill millstone minnow moor newt oar osprey otter paddle penstock perch pier pike
pond pool pulley quay raft reed reef ridge rill river rotor rudder runnel salmon sluice snipe
spillway spring strait stream swan tarn tern tide torrent trout turbine valley wader waterfall weir
wharf wheel willow
""".split()  # noqa: SIM905 - a list literal takes a line a word


def default_run_name() -> str:
    """A name like ``brisk-heron-417``. Leaves the random generators of the training alone."""
    return f"{secrets.choice(_ADJECTIVES)}-{secrets.choice(_NOUNS)}-{secrets.randbelow(1000)}"
