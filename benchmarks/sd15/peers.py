"""The same parts from diffusers and transformers, opened from the same files. Each imports only what it needs."""

from __future__ import annotations

import torch


def theirs(name: str, part: str, folder, arrays, runtime):
    """(a call of the part, its number of parameters); `name` is the class's."""
    layout = torch.channels_last if "NHWC" in runtime else torch.contiguous_format
    if part == "text":
        import transformers

        model = getattr(transformers, name).from_pretrained(folder / part)
    else:
        import diffusers

        model = getattr(diffusers, name).from_pretrained(folder / part, low_cpu_mem_usage=False)
    count = sum(parameter.numel() for parameter in model.parameters())
    if runtime == "OpenVINO":
        from ..steps.peers_compiled import by_openvino

        call = by_openvino(model.eval(), arrays, torch.get_num_threads(), "decode" if part == "vae" else "forward")
        return lambda: call().numpy() if part == "text" else call().permute(0, 2, 3, 1).numpy(), count
    model.to(memory_format=layout)
    tensors = [torch.from_numpy(array) for array in arrays]
    if part != "text":
        tensors[0] = tensors[0].permute(0, 3, 1, 2).contiguous(memory_format=layout)

    def run():
        with torch.inference_mode():
            if part == "text":
                return model(*tensors).last_hidden_state.numpy()
            return (model.decode if part == "vae" else model)(*tensors).sample.permute(0, 2, 3, 1).numpy()

    return run, count
