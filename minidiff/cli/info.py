"""minidiff info: what a model is made of."""

from __future__ import annotations

from pathlib import Path

from .evaluate import as_lines


def add_to(commands) -> None:
    parser = commands.add_parser("info", help="show what a model is made of", description="Parts, sizes, scheduler, "
                                 "and scores where they are known.")
    parser.add_argument("model", help="a shipped model, or a folder")
    parser.set_defaults(run=run)


def run(args) -> None:
    from ..pipeline import Pipeline
    from ..storage.files import read_json
    from ..storage.pipeline_folder import find_model, load_clip

    folder = find_model(args.model)
    pipe = Pipeline.from_pretrained(args.model, "cpu")
    models = {"unet": pipe.unet, "vae": pipe.vae, "text_encoder": pipe.text_encoder}
    if (folder / "clip").is_dir():
        models["clip"] = load_clip(args.model, device="cpu")
    print(folder)
    total = 0
    for name, model in models.items():
        size, count = size_of(folder / name), sum(p.value.size for p in model.parameters())
        total += size
        print(f"{name:<14}{type(model).__name__:<24}{count:>14,} parameters {size / 1e6:>9.2f} MB")
    print(f"{'tokenizer':<14}{'Tokenizer':<24}{len(pipe.tokenizer):>14,} tokens, texts of {pipe.tokenizer.max_length}")
    side = pipe.unet.config.sample_size
    print(f"{'pictures':<14}{side * pipe.vae.config.downsampling} x {side * pipe.vae.config.downsampling}, latents "
          f"{side} x {side} x {pipe.unet.config.in_channels}; {total / 1e6:.2f} MB of weights in all")
    print("\n".join(as_lines({"scheduler": pipe.scheduler})))
    for scores in (folder / "scores.json", folder.parent / "scores.json"):
        if scores.is_file():
            print("\n".join(as_lines({"scores": read_json(scores)})))
            break


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))
