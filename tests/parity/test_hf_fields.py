"""config.json of transformers, field by field: each one is honored, refused by name, or known to change nothing."""

import dataclasses
import json
import warnings

import numpy as np
import pytest

from tinyformer.interop.fields import FIXED, HONORED, NEUTRAL, check_fields, is_known
from tinyformer.models import load_model

LAYOUTS = {"Bert": "bert", "GPT2": "gpt2", "Llama": "llama", "Qwen2": "llama", "Qwen3": "llama"}
MODELS = {"Bert": "BertForPreTraining", "GPT2": "GPT2LMHeadModel",
          **{kind: f"{kind}ForCausalLM" for kind in ("Llama", "Qwen2", "Qwen3")}}
SIZES = {
    "Bert": dict(vocab_size=23, max_position_embeddings=12, num_hidden_layers=2, num_attention_heads=2, hidden_size=12,
                 intermediate_size=20),
    "GPT2": dict(vocab_size=23, n_positions=12, n_layer=2, n_head=2, n_embd=12, bos_token_id=1, eos_token_id=1),
    **{kind: dict(vocab_size=23, max_position_embeddings=32, num_hidden_layers=2, num_attention_heads=4,
                  num_key_value_heads=2,
                  hidden_size=16, intermediate_size=20, head_dim=4, bos_token_id=1, eos_token_id=1)
       for kind in ("Llama", "Qwen2", "Qwen3")}}
SCALED = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}
LLAMAS = ("Llama", "Qwen2", "Qwen3")


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_field_of_transformers_is_in_the_table(oracle, kind):
    cls = getattr(oracle.transformers, f"{kind}Config")
    names = {*cls().to_dict(), *(field.name for field in dataclasses.fields(cls)), *cls().to_diff_dict()}
    unknown = {name for name in names if not is_known(LAYOUTS[kind], name)}
    assert not unknown, "say in interop/fields.py what becomes of these"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_fields(LAYOUTS[kind], cls().to_dict())


@pytest.mark.parametrize("layout", ("bert", "gpt2", "llama"))
def test_no_field_stands_twice(layout):
    tables = [{*table.get("every", ()), *table[layout]} for table in (HONORED, FIXED, NEUTRAL)]
    assert not tables[0] & tables[1] and not tables[1] & tables[2]
    assert tables[0] & tables[2] <= {"pad_token_id"}                            # only BERT's embedding has a use for it


def build(oracle, kind, tmp_path, dtype="float32", **options):
    """(their random model, the folder that it was saved in, a function that changes its config.json)."""
    config = getattr(oracle.transformers, f"{kind}Config")(**{**SIZES[kind], **options})
    model = oracle.build(getattr(oracle.transformers, MODELS[kind]), config, dtype)
    model.save_pretrained(tmp_path)

    def edit(**changes):
        path = tmp_path / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return model, tmp_path, edit


def same(oracle, theirs, ours, dtype="float32", length=12):
    ids = np.random.default_rng(5).integers(2, 23, (2, length))
    # our BERT masks [PAD] without being told
    seen = ids != (theirs.config.pad_token_id if hasattr(ours, "bert") else None)
    expected = theirs(oracle.torch.from_numpy(ids),
                      attention_mask=oracle.torch.from_numpy(seen * 1))[0].detach().numpy()
    found = ours.to(dtype)(ids)
    found = found[0] if isinstance(found, tuple) else found
    np.testing.assert_allclose(found.data, expected, rtol=0, atol=1e-5 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("kind, options", [
    ("Bert", dict(layer_norm_eps=1e-3)), ("Bert", dict(type_vocab_size=5)), ("Bert", dict(pad_token_id=3)),
    ("Bert", dict(pad_token_id=None)), ("Bert", dict(intermediate_size=7)), ("Bert", dict(hidden_act="gelu_python")),
    ("Bert", dict(chunk_size_feed_forward=4)),
    ("Bert", dict(hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.2)),
    ("GPT2", dict(n_inner=48)), ("GPT2", dict(n_inner=20)), ("GPT2", dict(n_inner=1, layer_norm_epsilon=1e-3)),
    ("GPT2", dict(layer_norm_epsilon=0.5)), ("GPT2", dict(activation_function="gelu_pytorch_tanh")),
    ("GPT2", dict(reorder_and_upcast_attn=True)), ("GPT2", dict(summary_type="mean", embd_pdrop=0.3)),
    *((kind, options) for kind in LLAMAS for options in (
        dict(rms_norm_eps=1e-2), dict(tie_word_embeddings=True), dict(num_key_value_heads=4),
        dict(num_key_value_heads=1),
        dict(head_dim=6), dict(hidden_act="swish"), dict(rope_parameters={"rope_type": "default", "rope_theta": 70.0}),
        dict(rope_parameters=SCALED), dict(attention_dropout=0.5))),
    ("Llama", dict(pretraining_tp=2)), ("Qwen2", dict(sliding_window=4)), ("Qwen3", dict(max_window_layers=0))])
def test_values_that_are_honored(oracle, tmp_path, kind, options, dtype):
    theirs, folder, _ = build(oracle, kind, tmp_path, dtype, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = load_model(folder)                           # in float32, as every folder
    if dtype == "float64":
        ours.to(dtype).load_state_dict(theirs.state_dict())
    same(oracle, theirs, ours, dtype)


ROPES = [
    dict(rope_parameters={"rope_type": "default", "rope_theta": 70.0}, rope_scaling=SCALED),
    dict(rope_parameters=SCALED, rope_scaling={"rope_type": "default", "rope_theta": 70.0}),
    dict(rope_parameters=SCALED, rope_scaling=None), dict(rope_parameters=SCALED, rope_scaling={}),
    dict(rope_parameters=None, rope_scaling={**SCALED, "rope_theta": 90.0}, rope_theta=70.0),
    dict(rope_parameters=None, rope_scaling={k: v for k, v in SCALED.items() if k != "rope_theta"}, rope_theta=70.0),
    dict(rope_parameters=None,
         rope_scaling={"type": "llama3", **{k: v for k, v in SCALED.items() if k != "rope_type"}}),
    dict(rope_parameters=None, rope_scaling=None, rope_theta=70.0), dict(rope_parameters=None, rope_scaling=None),
    dict(rope_parameters={"rope_theta": 70.0}, rope_theta=50.0), dict(rope_parameters={}, rope_theta=50.0),
    dict(rope_parameters={k: v for k, v in SCALED.items() if k != "original_max_position_embeddings"}),
]


@pytest.mark.parametrize("kind", LLAMAS)
@pytest.mark.parametrize("ropes", ROPES)
def test_rotations_of_older_and_newer_files(oracle, tmp_path, kind, ropes):
    """Theirs is read from the same folder: which of several fields counts is theirs to say."""
    _, folder, edit = build(oracle, kind, tmp_path)
    edit(**ropes)
    theirs = getattr(oracle.transformers, MODELS[kind]).from_pretrained(folder).eval()
    same(oracle, theirs, load_model(folder), length=30)


@pytest.mark.parametrize("kind, absent", [
    ("Bert", ("layer_norm_eps", "type_vocab_size", "pad_token_id", "intermediate_size")),
    ("GPT2", ("n_inner", "resid_pdrop", "layer_norm_epsilon")),
    *((kind, ("rms_norm_eps", "tie_word_embeddings", "rope_parameters")) for kind in LLAMAS)])
def test_fields_that_a_file_leaves_out(oracle, tmp_path, kind, absent):
    _, folder, edit = build(oracle, kind, tmp_path, **(dict(intermediate_size=3072) if kind == "Bert" else {}))
    path = folder / "config.json"
    path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items()
                                if name not in absent}))
    same(oracle, getattr(oracle.transformers, MODELS[kind]).from_pretrained(folder).eval(), load_model(folder))


def test_other_names_of_gpt2s_sizes(oracle, tmp_path):
    _, folder, edit = build(oracle, "GPT2", tmp_path)
    values = json.loads((folder / "config.json").read_text())
    renamed = {"hidden_size": values.pop("n_embd"), "num_attention_heads": values.pop("n_head"), **values}
    (folder / "config.json").write_text(json.dumps(renamed))
    with warnings.catch_warnings():
        warnings.simplefilter("error")                      # no field is said to be ignored
        ours = load_model(folder)
    same(oracle, oracle.transformers.GPT2LMHeadModel.from_pretrained(folder).eval(), ours)
    edit(n_head=3)
    with pytest.raises(ValueError, match="num_attention_heads is 2, which this model does not have; expected 3"):
        load_model(folder)


REFUSED = {
    "Bert": [dict(hidden_act="relu"), dict(hidden_act="gelu_new"), dict(is_decoder=True),
             dict(position_embedding_type="relative_key_query"),
             dict(pad_token_id=-1), dict(pad_token_id=99), dict(architectures=["RobertaModel"])],
    "GPT2": [dict(activation_function="relu"), dict(layer_norm_epsilon=0), dict(n_inner=0), dict(n_inner="4"),
             dict(scale_attn_weights=False),
             dict(scale_attn_by_inverse_layer_idx=True), dict(tie_word_embeddings=False),
             dict(add_cross_attention=True)],
    **{kind: [dict(hidden_act="gelu"), dict(attention_bias=True), dict(mlp_bias=True), dict(use_sliding_window=True),
              dict(layer_types=["full_attention", "sliding_attention"]), dict(partial_rotary_factor=0.5),
              dict(original_max_position_embeddings=16),
              *(dict(rope_scaling={"rope_type": rope_type, "factor": 2.0})
                for rope_type in ("linear", "dynamic", "yarn", "longrope",
                                "proportional")),
              dict(rope_parameters={"rope_theta": 1e4, "partial_rotary_factor": 0.5}),
              dict(rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 1e4}}),
              dict(rope_scaling={**SCALED, "attention_factor": 2.0})] for kind in LLAMAS},
}
FOR_ALL = [dict(quantization_config={"quant_method": "bitsandbytes"}), dict(auto_map={"AutoModel": "own.Model"}),
           dict(pruned_heads={"0": [1]}), dict(is_encoder_decoder=True), dict(architectures=["OtherForCausalLM"])]


@pytest.mark.parametrize("kind, changes",
                         [(kind, changes) for kind in LAYOUTS for changes in (*REFUSED[kind], *FOR_ALL)])
def test_values_that_are_refused_by_name(oracle, tmp_path, kind, changes):
    _, folder, edit = build(oracle, kind, tmp_path)
    load_model(folder)
    edit(**changes)
    name = next(iter(changes))
    word = {"pad_token_id": "pad is", "layer_norm_epsilon": "eps is", "rope_scaling": "rope_type",
            "rope_parameters": "partial_rotary_factor|full_attention"}.get(name, name)
    with pytest.raises(ValueError, match=f"config.json: .*({word})"):
        load_model(folder)


def test_an_unknown_field_is_named(oracle, tmp_path):
    _, folder, edit = build(oracle, "Llama", tmp_path)
    edit(color="red", taste="sweet")
    with pytest.warns(UserWarning,
                      match="config.json has fields that this program does not know and ignores: color, taste"):
        load_model(folder)
