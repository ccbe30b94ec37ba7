from __future__ import annotations

import pytest

from minidiff.errors import UserError
from minidiff.models.configs import AutoencoderConfig, CLIPConfig, TextConfig, UNetConfig


@pytest.mark.parametrize("build, message", [
    (lambda: UNetConfig(norm_num_groups=7), "norm_num_groups = 7"),
    (lambda: UNetConfig(attention_head_dim=7), "7 attention heads"),
    (lambda: UNetConfig(attention_head_dim=(5, 10)), "4 numbers"),
    (lambda: UNetConfig(block_out_channels=(320, 640)), "2 levels"),
    (lambda: UNetConfig(block_out_channels=(9,), norm_num_groups=3, attention_head_dim=3), "is 9: .* even number"),
    (lambda: UNetConfig(block_out_channels=(2,), norm_num_groups=2, freq_shift=1), "is 2: .* freq_shift"),
    (lambda: UNetConfig(down_block_types=("AttnDownBlock2D",) * 4), "AttnDownBlock2D"),
    (lambda: UNetConfig.from_dict({"addition_embed_type": "text_time"}), "text_time"),
    (lambda: UNetConfig.from_dict({"act_fn": "gelu"}), "act_fn"),
    (lambda: UNetConfig.from_dict({"time_cond_proj_dim": 256}), "time_cond_proj_dim"),  # LCM
    (lambda: UNetConfig.from_dict({"mid_block_type": None}), "mid_block_type"),
    (lambda: UNetConfig.from_dict({"timestep_post_act": "silu"}), "timestep_post_act"),
    (lambda: UNetConfig.from_dict({"time_embedding_act_fn": "gelu"}), "time_embedding_act_fn"),
    (lambda: UNetConfig.from_dict({"sample_size": [64, 96]}), "sample_size"),
    (lambda: UNetConfig.from_dict({"layers_per_block": [1, 2]}), "layers_per_block"),
    (lambda: UNetConfig.from_dict({"use_linear_projection": "false"}), "use_linear_projection is 'false'"),
    (lambda: TextConfig.from_dict({"use_attention_mask": True}), "use_attention_mask"),
    (lambda: UNetConfig.from_dict({"only_cross_attention": [True, True]}), "only_cross_attention = True"),
    (lambda: CLIPConfig.from_dict({"text_config": {"use_attention_mask": True}}, "clip/config.json"),
     "^clip/config.json: text_config: use_attention_mask = True"),
    (lambda: CLIPConfig.from_dict({"text_config": 5}), "text_config is 5"),
    (lambda: AutoencoderConfig.from_dict({"scaling_factor": 0}, "vae/config.json"), "vae/config.json: scaling_factor"),
    (lambda: AutoencoderConfig.from_dict({"use_quant_conv": False}), "use_quant_conv"),
    (lambda: AutoencoderConfig(block_out_channels=(48,)), "48 channels"),
    (lambda: TextConfig(hidden_act="relu"), "relu"),
    (lambda: TextConfig(num_attention_heads=5), "5 attention heads"),
])
def test_impossible_sizes_are_refused_by_name(build, message):
    with pytest.raises(UserError, match=message):
        build()


@pytest.mark.parametrize("values, field, expected", [
    ({"sample_size": None}, "sample_size", 64), ({"sample_size": [16, 16]}, "sample_size", 16),
    ({"sample_size": 32, "_diffusers_version": "0.8.1"}, "sample_size", 64),
    ({"sample_size": 32, "_diffusers_version": "0.10.0"}, "sample_size", 32),
    ({"layers_per_block": [1, 1, 1, 1]}, "layers_per_block", 1), ({"act_fn": "swish"}, "layers_per_block", 2),
    ({"attention_head_dim": [5, 5, 5, 5]}, "attention_head_dim", (5, 5, 5, 5)),
    ({"only_cross_attention": [False, False, False, False]}, "layers_per_block", 2)])
def test_what_published_files_say_in_other_ways_is_understood(values, field, expected):
    assert getattr(UNetConfig.from_dict(values), field) == expected


def test_parts_of_a_configuration_are_understood_as_they_are_alone():
    values = {"text_config": {"hidden_size": 8, "num_attention_heads": 2}, "vision_config": {"image_size": [64, 64]}}
    config = CLIPConfig.from_dict(values)
    assert config.text_config == TextConfig.from_dict(values["text_config"])
    assert config.vision_config.image_size == 64


@pytest.mark.parametrize("config", [UNetConfig(), UNetConfig(attention_head_dim=(5, 10, 20, 20)), AutoencoderConfig(),
                                    TextConfig(), CLIPConfig()])
def test_configurations_survive_the_round_trip_through_a_dictionary(config):
    assert type(config).from_dict(config.to_dict()) == config
