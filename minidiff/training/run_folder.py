"""The folder of a run: what it holds, and the file that comes first, settings.json.

A run that was killed while it started has this file already, which says all that is needed to start it, so that
`--resume` goes on with it like with any other.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

from ..errors import UserError
from ..reading import read_json, reason
from ..storage.pipeline_folder import shipped_models
from ..writing import NEW, OLD, PREFIX, clear_left_behind, new_file, write_json
from .presets import Settings

SETTINGS_FILE = "settings.json"
MODEL = "model"  # the entry of settings.json that says which model a run started from
DIGEST = "unet_sha256"  # the entry that a run with --lora has for the files of this model's UNet
OTHERS = ("start", "data", "tokenizer", "checkpoints", "latents.safetensors", "metrics.jsonl", "samples", "events",
          "model", "lora.safetensors")


def write_settings(folder: Path, settings: Settings, start: str | Path | None = None, digest: str = "") -> None:
    """Write the first file of a new run, with the model that it starts from and its digest, if there are any."""
    check_new(folder)
    model = {} if start is None else {MODEL: str(start if str(start) in shipped_models() else Path(start).resolve())}
    with new_file(folder / SETTINGS_FILE) as path:
        write_json(path, asdict(settings) | model | ({DIGEST: digest} if digest else {}))


def check_new(folder: Path) -> None:
    """Raises UserError where a folder holds a run already, or what is left of one."""
    if (folder / SETTINGS_FILE).exists():
        raise UserError(f"{folder} holds a training run: continue it with --resume, or choose another --out")
    found = [name for name in OTHERS if (folder / name).exists()]
    if found:
        raise UserError(f"{folder} holds {', '.join(found)}, perhaps of a run that has lost its {SETTINGS_FILE}: "
                        "remove what is not needed, or choose another --out")


def settings_file(folder: Path) -> dict:
    """The content of settings.json. Raises UserError if there is no run in the folder."""
    if not (folder / SETTINGS_FILE).exists():
        raise UserError(f"{folder} holds no training run, as it has no {SETTINGS_FILE}: name the folder of one, or "
                        "train one there")
    return read_json(folder / SETTINGS_FILE)


def folder_of(model: str | Path) -> Path | None:
    """The folder with the settings.json that a model was trained with: its own or, of RUN/model, the run's around it.

    The model is the name of a shipped one, a folder or a file. None if its settings are not known.
    """
    model = Path(shipped_models().get(str(model), model)).resolve()
    folders = (model, model.parent) if model.name == "model" else (model,)
    return next((folder for folder in folders if (folder / SETTINGS_FILE).is_file()), None)


def model_of(folder: Path) -> str | None:
    """The model that the run in a folder started from. Raises UserError if settings.json is bad."""
    model = settings_file(folder).get(MODEL)
    if not isinstance(model, str | None):
        raise UserError(f"{folder / SETTINGS_FILE} has {str(model)[:40]!r} as its {MODEL}: set it to the model's name "
                        "or folder")
    return model


def remove_leftovers(folder: Path) -> None:
    """Remove what processes that were killed left of the files that they were writing.

    While this process holds the run's folder, none of them lives, so folders that are not complete are theirs as well.
    """
    for place in [folder, folder / "data", folder / "samples", *folder.glob("checkpoints/*")]:
        clear_left_behind(place)
        for left in place.glob(f"{PREFIX}????????"):
            if left.is_dir() and not left.is_symlink() and {path.name for path in left.iterdir()} < {NEW, OLD}:
                shutil.rmtree(left, ignore_errors=True)


def append_line(path: Path, text: str) -> None:
    """Append a line to a file, also where a process that was killed, or a full disk, has left half of one.

    Raises UserError if it cannot be written.
    """
    try:
        with open(path, "ab+") as file:
            if file.seek(0, 2):
                file.seek(-1, 2)
                text = text if file.read() == b"\n" else f"\n{text}"
            file.write(f"{text}\n".encode())
    except OSError as error:
        raise UserError(f"cannot write {path} ({reason(error)}): free some space, then go on with --resume") from error
