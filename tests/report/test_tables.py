"""The tables of report.md."""

from __future__ import annotations

import pytest

from minidiff.report.tables import score_table, stage_table

RECORDS = [{"stage": "diffusion", "step": step, "samples_per_second": speed, "loss": 3.0 / step, **more}
           for step, speed, more in [(20, 90.0, {}), (300, 10.0, {"held_out": 0.5, "held_out.2-8": 0.7}),
                                     (320, 80.0, {})]]
SCORES = {
    "images": 96, "features": "embeddings", "psnr": 31.5,
    "frechet": {"distance": 1.25, "error": 0.5, "of_training": 4.5, "of_training_error": 0.25},
    "kernel": {"distance": -0.125, "error": 0.05, "of_training": 0.01, "of_training_error": 0.04},
    "recall": {"drawn": 0.91, "true": 0.87, "among": 64},
    "copies": {"copied": 0.06, "by_chance": 0.05, "by_chance_error": 0.03, "threshold": 0.07, "drawn_median": 0.15,
               "true_median": 0.16, "training_images": 1000}}


def test_a_stage_has_its_last_held_out_loss_if_it_has_any():
    assert stage_table(RECORDS)[2] == "| diffusion | 320 | 80 | 0.1500 | 0.0094 | 0.5000 |"
    assert stage_table(RECORDS[:1])[2] == "| diffusion | 20 | 90 | 0.1500 | 0.1500 | - |"


def test_the_first_and_the_last_loss_are_those_of_the_first_and_the_last_step():
    assert stage_table(RECORDS[::-1]) == stage_table(RECORDS)


def test_the_scores_of_any_images_stand_beside_those_of_true_ones():
    table = score_table(SCORES)
    assert "| Fréchet distance to their true images | 1.25 ± 0.5 | 4.5 ± 0.25 (training images) |" in table
    assert "| caption finds its image among 64 | 0.91 | 0.87 |" in table
    assert "| nearer than 0.07 to a training image | 0.06 | 0.05 |" in table
    assert "| median distance to the nearest training image | 0.15 | 0.16 |" in table
    assert {line.count("|") for line in table if line.startswith("|")} == {4}
    assert "31.5 dB" in table[-1]


JUDGED = {"seen": 0.91, "held_out": 0.66, "judge": {"reconstruction": 0.96}, "psnr": 31.5, "retrieval": 0.8,
          "word_order": 0.7, "by_kind": {"seen": {"one": 0.95, "two": 0.9}, "held_out": {"one": 0.7}},
          "by_attribute": {"seen": {"colour": None}, "held_out": {"colour": 0.5}}}


def test_what_the_judge_saw_of_seen_prompts_stands_beside_what_it_saw_of_held_out_ones():
    *rows, empty, text = score_table(JUDGED)
    assert rows == ["| prompts drawn right | seen | held-out |", "|---|---|---|", "| **all** | **0.91** | **0.66** |",
                    "| one | 0.95 | 0.70 |", "| two | 0.90 | - |", "| colour | - | 0.50 |"] and empty == ""
    assert text.startswith("The judge reads 0.96 of the autoencoder's reconstructions correctly (PSNR 31.5 dB). ")
    assert "64 for 0.80 of the captions" in text and "exchanged for 0.70 of the images" in text
    assert score_table(JUDGED | {"retrieval": None})[-1].endswith("(PSNR 31.5 dB).")


EMOJI = {
    "named": {"all": 0.912, "plain": 0.95, "skin_tones": 0.9, "count": 3233}, "composed": {"all": 0.7, "count": 139},
    "words": {"counted": {"seen": 0.8, "held_out": 0.75}, "coloured": {"seen": 0.6, "held_out": None}}, "psnr": 31.5,
    "judge": {title: {"named": rate, "composed": rate, "counted seen": rate, "counted held_out": rate,
                      "coloured seen": rate} for title, rate in (("truth", 1.0), ("reconstruction", 0.99))}}


def test_names_and_scenes_of_emoji_stand_beside_the_limits_of_autoencoder_and_judge():
    table = score_table(EMOJI)
    assert table[2:6] == ["| 3233 names | 0.912 | 0.990 | 1.000 |", "| without a skin tone | 0.950 |  |  |",
                          "| with a skin tone | 0.900 |  |  |", "| 139 held-out skin tones | 0.700 | 0.990 | 1.000 |"]
    assert "| counted, words held out | 0.750 | 0.990 | 1.000 |" in table
    assert "| coloured, words held out | - |  |  |" in table
    assert len(score_table(EMOJI | {"composed": {"count": 0}})) == len(table) - 1
    assert "31.5 dB" in table[-1]


@pytest.mark.parametrize(("copied", "verdict"), [(0.05, "No sign"), (0.13, "No sign"), (0.15, "The model copies")])
def test_copies_are_told_where_there_are_more_than_chance_allows(copied, verdict):
    assert score_table(SCORES | {"copies": SCORES["copies"] | {"copied": copied}})[-1].startswith(verdict)


def test_scores_without_an_image_encoder_and_without_held_out_images_are_told():
    without = SCORES | dict.fromkeys(("features", "frechet", "kernel", "recall"))
    assert len(score_table(without)) == len(score_table(SCORES)) - 3
    assert "no image encoder" in score_table(without)[-1]
    assert "too few held-out images" in score_table(None)[0]
