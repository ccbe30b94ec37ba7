"""minidiff data preview: a grid of training images."""

from __future__ import annotations

from pathlib import Path

from .options import check_image_name, whole_number


def add_to(commands) -> None:
    data = commands.add_parser("data", help="look at the training images")
    parser = data.add_subparsers(title="commands", required=True, metavar="preview").add_parser(
        "preview", help="write a grid of training images with their captions")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", default=Path("preview.png"),
                        help="image file to write (default: preview.png)")
    parser.add_argument("--count", type=whole_number(1), default=16, help="number of images (default: 16)")
    parser.add_argument("--seed", type=whole_number(0), default=0, help="seed of the training run (default: 0)")
    parser.add_argument("--size", type=whole_number(8), default=64, help="height and width in pixels (default: 64)")
    parser.set_defaults(run=run)


def run(args) -> None:
    check_image_name(args.output)
    from PIL import Image

    from ..data.batches import preview
    from ..report.images import grid

    images, captions = zip(*preview(args.count, args.size, args.seed), strict=True)
    grid([Image.fromarray(image) for image in images], captions).save(args.output)
    print(args.output)
