"""minidiff train: train a model, from scratch or from another model."""

from __future__ import annotations

import argparse
import json
import shlex
import time
from dataclasses import asdict
from pathlib import Path

from ..errors import UserError
from ..training.presets import PRESETS, override, preset, setting_names
from ..training.setting_help import sentence
from .from_model import Start
from .options import add_device, make_folder, save_image, show, whole_number
from .own_images import fitted, found_emoji, note_changed, note_left_out
from .progress import output_may_vanish, shown
from .scoring import score
from .stopping import asked_to_stop, signals_ignored, stopped

SAMPLE_GRIDS = 10  # per stage
FINAL_COUNT = 48   # prompts per split that score the finished model


class SettingsHelp(argparse.HelpFormatter):
    """Adds the names that a setting can have. They are imported when help is printed: parsing needs no NumPy."""

    def _get_help_string(self, action):
        from ..data.folder_source import CROPS
        from ..diffusion.objectives import KINDS, WEIGHTINGS
        from ..training.optimizers import OPTIMIZERS

        names = {"crop": CROPS, "optimizer": OPTIMIZERS, "prediction": KINDS, "weighting": WEIGHTINGS}
        known = names.get(action.dest.rpartition(".")[2])
        return f"{action.help[:-1]}; one of {', '.join(known)})" if known else action.help


def add_to(commands) -> None:
    parser = commands.add_parser(
        "train", help="train a model, from scratch or from another model",
        usage="%(prog)s [options] [--SETTING VALUE ...]", formatter_class=SettingsHelp, description="Train tokenizer, "
        "autoencoder, contrastive model and diffusion model, one after the other. Ctrl-C saves a checkpoint and stops, "
        "as the signals TERM and HUP do; --resume continues from it, with the same --threads bit for bit.")
    parser.add_argument("--data", dest="data.source", metavar="PATH", help="train on your own captioned images, in a "
                        "folder or a file (default: scenes, the built-in ones); see minidiff data check; emoji:PATH "
                        "also makes scenes of a folder of minidiff data emoji")
    parser.add_argument("--buckets", dest="data.buckets", action="store_const", const="true", help="keep the shape of "
                        "your images, roughly, instead of cutting out squares: a batch has images of one shape")
    parser.add_argument("--preset", metavar="NAME", help=f"sizes and rates: {', '.join(PRESETS)} (default: small); gpu "
                        "has the models of small and larger batches")
    parser.add_argument("--from", dest="start", metavar="MODEL", help="start from the sizes and weights of MODEL (a "
                        "folder, or the name of a shipped model); its autoencoder and contrastive model stay fixed")
    parser.add_argument("--lora", type=whole_number(1), metavar="RANK", help="leave MODEL as it is and train low-rank "
                        "factors of its UNet's attention; ends with DIR/lora.safetensors and a report")
    parser.add_argument("--class-labels", action="store_true", help="learn each caption as one token, without a text "
                        "model: for images of up to 1000 classes")
    parser.add_argument("--minutes", type=float, help="choose the numbers of steps so that training takes this long")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder of the run (default: runs/PRESET)")
    parser.add_argument("--resume", action="store_true",
                        help="resume the run in DIR with its own settings; --train_STAGE.steps can extend it")
    parser.add_argument("--stage", nargs="+", metavar="NAME",
                        help="run only these stages: tokenizer, autoencoder, contrastive, latents, diffusion; "
                        "with --lora: latents, lora")
    parser.add_argument("--threads", type=whole_number(1), help="number of cores to use, by each process "
                        "that mpiexec starts (default: all)")
    parser.add_argument("--no-samples", action="store_true", help="draw no samples and compute no scores, for which "
                        "a large model takes hours on a CPU")
    parser.add_argument("--tensorboard", action="store_true",
                        help="also write losses as event files, into DIR/events; needs minidiff[tensorboard]")
    parser.add_argument("--dry-run", action="store_true", help="print all settings as JSON and stop")
    add_device(parser)
    group, title = None, ""
    for name, value in setting_names(preset("small")).items():
        if group is None or name.rpartition(".")[0] != title:
            title = name.rpartition(".")[0]
            group = parser.add_argument_group(f"settings of {title}" if title else "settings",
                                              "(defaults: those of preset small)")
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        group.add_argument(f"--{name}", dest=name, metavar="VALUE", help=f"{sentence(name)} (default: {shown})")
    parser.set_defaults(run=run)


def run(args) -> int:
    from ..training.ranks import together

    folder = args.out or Path("runs") / (args.preset or "small")
    with together() as ranks:
        return assist(ranks, folder, args.threads) if ranks.rank else lead(ranks, folder, args)


def assist(ranks, folder: Path, threads: int | None) -> int:
    """What a process does that mpiexec has started along with the first one: requests to stop are for that one."""
    from ..nn.threads import at_most
    from ..training.follow import follow
    from ..training.memory import shortage_explained

    with signals_ignored(), shortage_explained(), at_most(threads):
        follow(ranks, folder, threads)
    return 0


def lead(ranks, folder: Path, args) -> int:
    """What the first process does, and a single one: it prepares the run, trains and reports."""
    from ..training.checks import check_stages
    from ..training.run import read_settings

    changes, found, model = changed_settings(args), None, None
    if args.resume:
        settings = read_settings(folder)
        for name, text in changes.items():
            settings = override(settings, name, text)
    else:
        settings, found, model = new_settings(args, changes)
    check_stages(args.stage or (), settings)
    if args.dry_run:
        print(json.dumps(asdict(settings), indent=2))
        return 0
    if not args.resume:
        make_folder(folder)

    from ..nn.threads import at_most
    from ..report.events import check_events
    from ..storage.lock import held
    from ..training.lora import LoRARun, resume
    from ..training.memory import shortage_explained
    from ..training.run import Run

    if args.tensorboard:
        check_events()
    device = ranks.device(args.device)
    run = (resume(folder, device, args.threads) if args.resume
           else (LoRARun if settings.lora.rank else Run)(folder, settings, device, args.threads, model, found))
    if args.resume and run.cache is not None:
        note_changed(run.cache)
    del model  # it has been copied, and takes as much memory again
    with held(folder), output_may_vanish(), shortage_explained(), at_most(args.threads):
        for name in changes if args.resume else ():
            group = name.partition(".")[0]
            run.lengthen(group.removeprefix("train_"), getattr(settings, group).steps)
        return train(run, args.stage or run.stages, args.minutes, args.tensorboard, args.no_samples)


def changed_settings(args) -> dict[str, str]:
    """The settings that the command line names, with their texts. UserError where options do not go together."""
    changes = {name: vars(args)[name] for name in setting_names() if vars(args)[name] is not None}
    if args.lora:
        changes["lora.rank"] = str(args.lora)
    if args.class_labels:
        changes["text.class_labels"] = "true"
    longer = [name for name in changes if name.startswith("train_") and name.endswith(".steps")]
    if args.resume and (len(longer) < len(changes) or (args.preset and args.out) or args.start):
        raise UserError("a resumed run keeps its own settings, except for --train_STAGE.steps: leave out --preset, "
                        "--from, --lora and other settings, or start a new run with another --out")
    if longer and args.minutes is not None:
        raise UserError("--minutes chooses the number of steps: leave out --train_STAGE.steps")
    if "lora.rank" in changes and not args.start:
        raise UserError("--lora adapts a trained model: give it by --from MODEL")
    if args.minutes is not None and not 0 < args.minutes < 1e6:
        raise UserError(f"--minutes {args.minutes}: use a number greater than 0")
    return changes


def new_settings(args, changes: dict[str, str]):
    """The settings of a new run, the files of a person's own images or None, and the model to start from or None.

    Raises UserError for what cannot be trained.
    """
    from ..data.sources import full_name, kind_of
    from ..training.checks import check_settings
    from ..training.lora import enough_latents

    name = args.preset or "small"
    start = Start(args.start, preset(name), "lora.rank" in changes) if args.start is not None else None
    settings = start.own if start else preset(name)
    if "data.source" in changes:
        changes["data.source"] = full_name(changes["data.source"])
    for path, text in changes.items():
        settings = override(settings, path, text)
    if settings.lora.rank and args.minutes is None and "diffusion.latents" not in changes:
        settings = enough_latents(settings)
    found = None
    if kind_of(settings.data.source) == "images":
        settings, found = fitted(settings, changes, args.start, args.stage)
    elif kind_of(settings.data.source) == "emoji":
        found = found_emoji(settings)
    check_settings(settings)
    if start:
        start.check(settings, changes, args.preset, found)
    return settings, found, start and start.model


def train(run, stages, minutes: float | None, tensorboard: bool, no_samples: bool) -> int:
    """Train the stages of a run that is open, and report on the model; the exit code."""
    from ..report.events import with_events
    from ..training.images import read_images

    drawn: dict[str, int] = {}
    with asked_to_stop() as stop:
        if run.cache is not None and not run.cache.whole:
            for now in shown(read_images(run)):
                if stop:
                    return stopped(run, now, stop, minutes)
            note_left_out(run.cache)
        progress, begun = run.train(stages, minutes), time.monotonic()
        for now in shown(with_events(progress, run.folder / "events") if tensorboard else progress):
            if not no_samples:
                write_samples(run, now, drawn)
            if stop and (now.step < now.total or now.stage != stages[-1]):
                return stopped(run, now, stop, minutes and minutes - (time.monotonic() - begun) / 60)
    if run.stages[-1] in stages:
        finish(run, no_samples)
    return 0


def write_samples(run, now, drawn) -> None:
    """Write a grid of sample images, ten times per stage; `drawn` counts the tenths of each stage so far."""
    from ..pipeline import Pipeline
    from ..report.training import reconstructions, samples

    tenth = now.step * SAMPLE_GRIDS // now.total
    if now.stage not in ("autoencoder", "diffusion", "lora") or tenth <= drawn.get(now.stage, 0):
        return
    drawn[now.stage] = tenth
    with run.trainer(now.stage).averaged():
        page = (reconstructions(run.trainer("autoencoder").stage.model, run.source) if now.stage == "autoencoder" else
                samples(Pipeline(**vars(run.parts())), run.source))
    folder = run.folder / "samples"
    folder.mkdir(exist_ok=True)
    save_image(page, folder / f"{now.stage}-{now.step:08d}.png")


def finish(run, no_samples: bool) -> None:
    """Score what the run learned, unless nothing is to be drawn, and write scores.json and report.md."""
    from ..report.training import examples, write_report

    scores, learned = (None, "is trained") if no_samples else score(run, FINAL_COUNT)
    prompt = "a red heart above a blue square" if run.source.kind == "scenes" else examples(run.source, 1).captions[0]
    model, lora = str(run.model_folder), str(run.lora_file or "")
    show(f"{model}{f' with {lora}' if lora else ''} {learned}; see {write_report(run.folder, scores)}")
    options = ["--model", model, *(["--lora", lora] if lora else [])]
    show(f"try it: minidiff generate {shlex.join(options)} {quoted(prompt)}")


def quoted(prompt: str) -> str:
    """The prompt as the shell takes it: in double quotes, if nothing in it is special there."""
    return shlex.quote(prompt) if set(prompt) & set('"$`\\!') else f'"{prompt}"'
