"""scheduler_config.json: read as written, refused where it asks for something else."""

from __future__ import annotations

import json

import pytest

from minidiff.diffusion.sampler_table import SAMPLERS
from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.scheduler_config import from_config, to_config, with_sampler
from minidiff.diffusion.schedules import Schedule
from minidiff.errors import UserError

STABLE_DIFFUSION = {
    "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "beta_start": 0.00085, "num_train_timesteps": 1000, "set_alpha_to_one": False, "skip_prk_steps": True,
    "steps_offset": 1, "trained_betas": None, "clip_sample": False,
}


SPECIAL = {"set_alpha_to_one": True, "use_karras_sigmas": True, "final_sigmas_type": "sigma_min", "solver_order": 1,
           "lower_order_final": False, "flow_shift": 2.0}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_is_written_is_read_back(sampler):
    reads = SAMPLERS[sampler].reads
    plain = Scheduler(sampler, Schedule("linear", 0.001, 0.01, num_train_timesteps=500))
    special = Scheduler(sampler, Schedule(rescale_betas_zero_snr="rescale_betas_zero_snr" in reads), "v_prediction",
                        "trailing", 0, **{name: value for name, value in SPECIAL.items() if name in reads})
    for scheduler in (plain, special):
        assert from_config(json.loads(json.dumps(to_config(scheduler)))) == scheduler


def test_every_setting_that_a_sampler_reads_is_tried_above():
    read = {name for entry in SAMPLERS.values() for name in entry.reads}
    assert read == {*SPECIAL, "rescale_betas_zero_snr", "use_flow_sigmas"}


@pytest.mark.parametrize("sampler", [name for name, entry in SAMPLERS.items() if "use_flow_sigmas" in entry.reads])
def test_rectified_flow_is_written_as_diffusers_opens_it(sampler):
    scheduler = Scheduler(sampler, Schedule("flow"), "flow_prediction", flow_shift=2.0, solver_order=1,
                          lower_order_final=False)
    config = to_config(scheduler)
    assert config["use_flow_sigmas"] is True and config["prediction_type"] == "flow_prediction"
    assert config["steps_offset"] == 1
    assert from_config(config) == scheduler


@pytest.mark.parametrize(("scheduler", "message"), [
    (Scheduler("euler", Schedule("flow"), "flow_prediction"), "use_flow_sigmas.*unipc"),
    (Scheduler("heun", Schedule(rescale_betas_zero_snr=True)), "rescale_betas_zero_snr.*euler"),
    (Scheduler("lms", final_sigmas_type="sigma_min"), "final_sigmas_type=sigma_min.*euler"),
    (Scheduler("euler_ancestral", use_karras_sigmas=True), "EulerAncestralDiscreteScheduler has no use_karras_sigmas")])
def test_a_setting_that_the_class_of_a_sampler_lacks_cannot_be_written(scheduler, message):
    with pytest.raises(UserError, match=message):
        to_config(scheduler)


def test_stable_diffusion_is_opened_with_its_own_settings():
    assert from_config(STABLE_DIFFUSION) == Scheduler("pndm", Schedule(), "epsilon", None, 1)


def test_a_silent_file_means_what_diffusers_assumes():
    ddim = from_config({"_class_name": "DDIMScheduler"})
    assert ddim.schedule == Schedule("linear", 0.0001, 0.02)
    assert (ddim.steps_offset, ddim.set_alpha_to_one) == (0, True)
    assert from_config({"_class_name": "HeunDiscreteScheduler"}).schedule == Schedule("linear", 0.00085, 0.012)
    assert [step.start.t for step in ddim.steps(5)] == [800, 600, 400, 200, 0]


def test_the_stochastic_solver_is_known_by_its_algorithm():
    name = "DPMSolverMultistepScheduler"
    assert from_config({"_class_name": name}).sampler == "dpm++"
    assert from_config({"_class_name": name, "algorithm_type": "sde-dpmsolver++"}).sampler == "dpm++_sde"
    with pytest.raises(UserError, match=r"dpmsolver\+\+"):
        from_config({"_class_name": name, "algorithm_type": "dpmsolver"})


@pytest.mark.parametrize("setting", [
    {"trained_betas": [0.1, 0.2]}, {"trained_betas": [0.9] * 1000}, {"thresholding": True}, {"skip_prk_steps": False},
    {"use_beta_sigmas": True}, {"euler_at_final": True}, {"use_exponential_sigmas": True}, {"use_lu_lambdas": True},
    {"prediction_type": "score"}, {"timestep_spacing": "random"}, {"beta_schedule": "quadratic"}])
def test_a_setting_unknown_here_is_refused_by_name(setting):
    (name,) = setting
    with pytest.raises(UserError, match=name):
        from_config(STABLE_DIFFUSION | setting)


def test_unipc_takes_another_classs_solver_type_but_not_its_own_other_one():
    assert from_config({"_class_name": "UniPCMultistepScheduler", "solver_type": "midpoint"}).sampler == "unipc"
    with pytest.raises(UserError, match="solver_type='bh1' is not supported: use bh2"):
        from_config({"_class_name": "UniPCMultistepScheduler", "solver_type": "bh1"})


def test_pndm_without_its_multistep_form_is_refused_even_where_the_file_is_silent():
    silent = {name: value for name, value in STABLE_DIFFUSION.items() if name != "skip_prk_steps"}
    with pytest.raises(UserError, match="skip_prk_steps=False is not supported: use True"):
        from_config(silent)


def test_an_unknown_class_is_named_with_the_nearest_sampler_or_with_the_known_ones():
    with pytest.raises(UserError, match=r"LCMScheduler.*ddim"):
        from_config({"_class_name": "LCMScheduler"})
    with pytest.raises(UserError, match=r"MyScheduler.*DDIMScheduler.*PNDMScheduler"):
        from_config({"_class_name": "MyScheduler"})


@pytest.mark.parametrize("name", ["LCMScheduler", "DEISMultistepScheduler", "MyScheduler", None, []])
def test_a_class_that_is_not_drawn_here_is_drawn_from_its_betas_with_a_sampler_that_is(name):
    config = STABLE_DIFFUSION | {"_class_name": name, "trained_betas": [0.1, 0.2], "num_train_timesteps": 2,
                                 "algorithm_type": "deis", "sigma_data": 0.5}
    expected = Scheduler("ddim", Schedule(num_train_timesteps=2, trained_betas=(0.1, 0.2)), set_alpha_to_one=True)
    assert with_sampler(config, "ddim") == expected


@pytest.mark.parametrize("sampler", ["ddim", "heun", "dpm++_sde", "unipc"])
def test_a_class_that_is_not_drawn_here_keeps_its_noise(sampler):
    zero = with_sampler(STABLE_DIFFUSION | {"_class_name": "LCMScheduler", "rescale_betas_zero_snr": True,
                                            "prediction_type": "v_prediction"}, sampler)
    assert zero.schedule == Schedule(rescale_betas_zero_snr=True)
    flow = with_sampler({"_class_name": "DEISMultistepScheduler", "use_flow_sigmas": True, "flow_shift": 3.0,
                         "prediction_type": "flow_prediction"}, sampler)
    assert flow.schedule.is_flow and flow.flow_shift == 3


@pytest.mark.parametrize(("sampler", "order"), [("dpm++", 2), ("dpm++_sde", 2), ("unipc", 3), ("ddim", 2)])
def test_an_order_that_another_sampler_lacks_becomes_its_highest(sampler, order):
    assert with_sampler(to_config(Scheduler("unipc", solver_order=3)), sampler).solver_order == order


@pytest.mark.parametrize("sampler", [None, "euler"])
@pytest.mark.parametrize(("name", "message"), [
    ("EDMEulerScheduler", "EDMEulerScheduler.*another"), ("FlowMatchEulerDiscreteScheduler", "use_flow_sigmas")])
def test_a_class_without_betas_is_refused(name, message, sampler):
    with pytest.raises(UserError, match=message):
        with_sampler({"_class_name": name, "num_train_timesteps": 1000}, sampler)
