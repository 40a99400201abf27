"""The floors of the package, from the ground up; modules import from lower floors only."""

FLOORS = (
    {"_version", "choices", "exit_codes", "toml"},
    {"errors"},
    {"arguments", "bounded_text", "extras", "files", "log"},
    {"discovery", "model", "parallel", "tiles"},
    {"checkpoints", "images", "pictures"},
    {"datasets", "inspection"},
    {"doctor", "evaluation", "exports"},
    {"reports"},
    {"runs"},
    {"server", "training", "watch"},
    {"review"},
    {"cli"},
    {"__main__", "moeclip_cli"},
)
