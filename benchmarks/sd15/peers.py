"""The same parts from diffusers and transformers, opened from the same files. Each imports only what it needs."""

from __future__ import annotations

import torch


def class_of(name: str, part: str):
    if part == "text":
        import transformers as library
    else:
        import diffusers as library

    return getattr(library, name)


def opened(cls, part: str, folder):
    return cls.from_pretrained(folder / part, **({} if part == "text" else {"low_cpu_mem_usage": False}))


def theirs(cls, part: str, folder, arrays, runtime):
    """A call of the part."""
    model, layout = opened(cls, part, folder), torch.channels_last if "NHWC" in runtime else torch.contiguous_format
    model.to(memory_format=layout)
    tensors = [torch.from_numpy(array) for array in arrays]
    if part != "text":
        tensors[0] = tensors[0].permute(0, 3, 1, 2).contiguous(memory_format=layout)

    def run():
        with torch.inference_mode():
            if part == "text":
                return model(*tensors).last_hidden_state.numpy()
            return (model.decode if part == "vae" else model)(*tensors).sample.permute(0, 2, 3, 1).numpy()

    return run


def convert(name: str, part: str, folder, arrays) -> None:
    """Write the part as OpenVINO opens it, in float32."""
    import openvino

    from ..steps.peers_compiled import converted

    model = opened(class_of(name, part), part, folder).eval()
    openvino.save_model(converted(model, arrays, "decode" if part == "vae" else "forward"),
                        folder / f"{part}.xml", compress_to_fp16=False)
