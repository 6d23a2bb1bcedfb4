"""Packages of the npm registry, for the tests in which somebody else's program is the judge."""
import os
import shutil

from gomesh_tap import note, temporary_folder
from gomesh_tools import run

QUIET = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier", "--fetch-retries=0", "--loglevel=error"]


def npm_install(*packages):
    """(the folder that has node_modules, None), or (None, why they cannot be had)."""
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            return None, "%s is not installed" % tool
    folder = os.path.join(temporary_folder(), "npm")
    os.makedirs(folder, exist_ok=True)
    try:
        done = run(["npm", "install", "--prefix", folder, "--cache", os.path.join(folder, "cache"), *QUIET, *packages], seconds=120)
        problem = done.stderr.decode("utf-8", "replace").strip() or "npm failed" if done.returncode else None
    except Exception as error:  # it takes too long
        problem = str(error)
    if problem:
        note(problem[:500])
        return None, "the npm registry is away, or does not have %s" % packages[0]
    return folder, None
