from __future__ import annotations

import pytest

from minidiff.errors import UserError
from minidiff.models.configs import AutoencoderConfig, CLIPConfig, TextConfig, UNetConfig


@pytest.mark.parametrize("build, message", [
    (lambda: UNetConfig(norm_num_groups=7), "norm_num_groups = 7"),
    (lambda: UNetConfig(attention_head_dim=7), "7 attention heads"),
    (lambda: UNetConfig(attention_head_dim=(5, 10)), "4 numbers"),
    (lambda: UNetConfig(block_out_channels=(320, 640)), "2 levels"),
    (lambda: UNetConfig(down_block_types=("AttnDownBlock2D",) * 4), "AttnDownBlock2D"),
    (lambda: UNetConfig.from_dict({"addition_embed_type": "text_time"}), "text_time"),
    (lambda: UNetConfig.from_dict({"act_fn": "gelu"}), "act_fn"),
    (lambda: AutoencoderConfig.from_dict({"use_quant_conv": False}), "use_quant_conv"),
    (lambda: AutoencoderConfig(block_out_channels=(48,)), "48 channels"),
    (lambda: TextConfig(hidden_act="relu"), "relu"),
    (lambda: TextConfig(num_attention_heads=5), "5 attention heads"),
])
def test_impossible_sizes_are_refused_by_name(build, message):
    with pytest.raises(UserError, match=message):
        build()


@pytest.mark.parametrize("config", [UNetConfig(), UNetConfig(attention_head_dim=(5, 10, 20, 20)), AutoencoderConfig(),
                                    TextConfig(), CLIPConfig()])
def test_configurations_survive_the_round_trip_through_a_dictionary(config):
    assert type(config).from_dict(config.to_dict()) == config
