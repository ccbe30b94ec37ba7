"""minidiff info: what a model is made of."""

from __future__ import annotations

from pathlib import Path

from .evaluate import as_lines
from .options import add_tokenizer, show


def add_to(commands) -> None:
    parser = commands.add_parser("info", help="show what a model is made of", description="Show the parts, "
                                 "sizes and scheduler of a model, and its scores if known.")
    parser.add_argument("model", help="the name of a shipped model, a folder, or a single file in Stable "
                        "Diffusion's original layout")
    add_tokenizer(parser)
    parser.set_defaults(run=run)


def run(args) -> None:
    from ..pipeline import Pipeline
    from ..reading import read_json
    from ..storage.pipeline_folder import find_clip, find_model

    pipe = Pipeline.from_pretrained(args.model, "cpu", tokenizer=args.tokenizer)
    folder = Path(args.model) if Path(args.model).is_file() else find_model(args.model)
    models = {"unet": pipe.unet, "vae": pipe.vae, "text_encoder": pipe.text_encoder}
    if folder.is_dir() and (clip := find_clip(folder)):
        models["clip"] = clip
    show(str(folder))
    for name, model in models.items():
        count, size = sum(p.value.size for p in model.parameters()), size_of(folder / name)
        own = f" {size / 1e6:>9.2f} MB" if size else ""  # unknown for a single file
        show(f"{name:<14}{type(model).__name__:<24}{count:>14,} parameters{own}")
    total = sum(size_of(folder / name) for name in models) or folder.stat().st_size
    show(f"{'tokenizer':<14}{'Tokenizer':<24}{len(pipe.tokenizer):>14,} tokens, "
         f"{pipe.tokenizer.max_length} per text")
    side = pipe.unet.config.sample_size
    show(f"{'images':<14}{side * pipe.vae.config.downsampling} x {side * pipe.vae.config.downsampling}, latents "
         f"{side} x {side} x {pipe.unet.config.out_channels}; {total / 1e6:.2f} MB of weights in all")
    show(*as_lines({"scheduler": pipe.scheduler}))
    for scores in (folder / "scores.json", folder.parent / "scores.json"):
        if scores.is_file():
            show(*as_lines({"scores": read_json(scores)}))
            break


def size_of(folder: Path) -> int:
    """The bytes of the files that were read; 0 for a part of a single file."""
    from ..storage.weight_files import weight_files

    return sum(file.stat().st_size for file in weight_files(folder)) if folder.is_dir() else 0
