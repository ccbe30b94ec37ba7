"""Trained factors in a file: merged into the model that they were trained on, they give what it gave with them."""

from __future__ import annotations

import numpy as np
import pytest
from ldm_layout import tiny_stable_diffusion
from lora_files import with_factors
from numpy.testing import assert_array_equal
from relative import relative

from minidiff.errors import UserError
from minidiff.nn.lora import Factors
from minidiff.storage.lora_writing import save_lora
from minidiff.storage.tensors import map_tensors


@pytest.mark.parametrize("alpha", [4, 1.5])
def test_a_merged_file_gives_what_the_model_with_factors_gives(tmp_path, alpha):
    base, tuned = tiny_stable_diffusion(1), with_factors(tiny_stable_diffusion(1), 4, alpha)
    save_lora(tuned.unet, tmp_path / "lora.safetensors")
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((2, 8, 12, 4)).astype(np.float32)
    context, _ = base.text_encoder(base.tokenizer(["a red heart", "a green star"]))

    def answer(pipe):
        return pipe.unet(latents, np.full(2, 321.0, np.float32), context)[0]

    plain = answer(base)
    base.load_lora(tmp_path / "lora.safetensors")
    assert relative(answer(base), answer(tuned)) < 1e-5
    assert relative(answer(base), plain) > 0.05


def test_a_file_holds_the_factors_alone_as_they_are(tmp_path):
    unet = with_factors(tiny_stable_diffusion(1), 4, 2).unet
    save_lora(unet, tmp_path / "lora.safetensors")
    tensors, metadata = map_tensors(tmp_path / "lora.safetensors")
    factors = dict(Factors(unet).named_parameters())
    assert tensors.keys() == {f"unet.{name}" for name in factors}
    for name, parameter in factors.items():
        assert_array_equal(tensors[f"unet.{name}"], parameter.value)
    assert '"unet.r": 4, "unet.lora_alpha": 2' in metadata["lora_adapter_metadata"]


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        save_lora(with_factors(tiny_stable_diffusion(1), 1, 1).unet, tmp_path / "file" / "lora.safetensors")
