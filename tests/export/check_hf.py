"""Loads folders that `gabbro export --format hf` wrote, in the folders that hf_test.cc makes.

Usage: check_hf.py FOLDER...; exits with 1 if something differs from what the reference and our tokenizer say.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)


def check_tokenizer(folder, expected):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    end = tokenizer.eos_token_id
    for item in expected["texts"]:
        ids = tokenizer(item["text"], add_special_tokens=False)["input_ids"]
        assert ids == item["ids"], f"{item['text'][:80]!r}: {ids[:50]} instead of {item['ids'][:50]}"
        assert tokenizer(item["text"])["input_ids"] == [end, *ids]
        text = tokenizer.decode(ids)
        assert text == item["text"].replace("\u2581", " "), f"{item['text'][:80]!r} became {text[:80]!r}"
    return tokenizer


def check_logits(model, expected):
    ids = torch.tensor([expected["ids"]])
    with torch.no_grad():
        logits = model(ids).logits
    want = torch.tensor(expected["logits"]).view(logits.shape)
    assert (logits - want).abs().max() <= 1e-4 * want.abs().max().clamp(min=1)
    labels = ids.clone()
    labels[0, 3] = -100
    got = model(ids, labels=labels).loss
    targets = labels[:, 1:].flatten()
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), targets, ignore_index=-100)
    assert (got - loss).abs() < 1e-5, f"loss {got} instead of {loss}"
    assert torch.equal(model(ids, logits_to_keep=2).logits, model(ids).logits[:, -2:])
    return logits


def check_generation(model, tokenizer):
    texts = ["Every event is", "A run", "The worker of a rung reads a spec, and writes"]
    options = dict(max_new_tokens=12, do_sample=False, eos_token_id=None)
    alone = []
    for text in texts:
        inputs = tokenizer(text, return_tensors="pt")
        fast = model.generate(**inputs, **options)
        slow = model.generate(**inputs, use_cache=False, **options)
        assert torch.equal(fast, slow), f"{text}: {fast} with a cache, {slow} without"
        beams = model.generate(**inputs, num_beams=3, **options)
        assert torch.equal(beams, model.generate(**inputs, num_beams=3, use_cache=False, **options)), "beams differ"
        alone.append(fast[0, inputs["input_ids"].shape[1] :])
    inputs = tokenizer(texts, return_tensors="pt", padding=True)
    assert (inputs["attention_mask"] == 0).any()
    for use_cache in (True, False):
        out = model.generate(**inputs, use_cache=use_cache, **options)
        for row, want in zip(out, alone):
            assert torch.equal(row[-12:], want), "padding changes what is generated"
    # Text that goes on, with the cache of its beginning.
    first = model.generate(**tokenizer(texts[0], return_tensors="pt"), return_dict_in_generate=True, **options)
    cache = getattr(first, "cache", None) or getattr(first, "past_key_values", None)
    name = "cache" if hasattr(first, "cache") else "past_key_values"
    options["attention_mask"] = torch.ones_like(first.sequences)
    more = model.generate(first.sequences, **{name: cache}, **options)
    assert torch.equal(more, model.generate(first.sequences, **options)), "a cache that goes on differs"


def expect_refused(message, call):
    try:
        call()
    except (ValueError, TypeError) as error:
        assert message in str(error), error
    else:
        raise AssertionError(f"not refused: {message}")


def check_refusals(model, ids):
    ones = torch.ones_like(ids)
    gap = ones.clone()
    gap[:, 2] = 0
    expect_refused("has a gap", lambda: model(ids, attention_mask=gap))
    expect_refused("expected", lambda: model(ids, attention_mask=ones[:, 1:]))
    expect_refused("not both", lambda: model(ids, attention_mask=ones, documents=ones))
    expect_refused("inputs_embeds is not supported", lambda: model(inputs_embeds=torch.zeros(1, 2, 32)))
    expect_refused("position_ids is not supported", lambda: model(ids, position_ids=ids))


def check_documents(model, ids):
    twice = torch.cat((ids, ids), 1)
    documents = torch.cat((torch.zeros_like(ids), torch.ones_like(ids)), 1)
    with torch.no_grad():
        second = model(twice, documents=documents).logits[:, ids.shape[1] :]
        assert (second - model(ids).logits).abs().max() < 1e-4, "a document sees the one before"


def check_saving(model, folder, logits, ids):
    saved = folder / "saved"
    model.save_pretrained(saved)
    with torch.no_grad():
        assert torch.equal(load(saved)(ids).logits, logits), "a saved model differs"
    model.resize_token_embeddings(model.config.vocab_size + 3)
    with torch.no_grad():
        larger = model(ids).logits[..., :-3]
    assert torch.allclose(larger, logits, atol=1e-4), "more tokens change the others"


def check(folder):
    expected = json.loads((folder / "expected.json").read_text())
    tokenizer = check_tokenizer(folder / "hf", expected)
    model = load(folder / "hf").eval()
    logits = check_logits(model, expected)
    ids = torch.tensor([expected["ids"]])
    check_generation(model, tokenizer)
    check_refusals(model, ids)
    check_documents(model, ids)
    check_saving(model, folder, logits, ids)
    config = AutoConfig.from_pretrained(folder / "hf", trust_remote_code=True)
    new = AutoModelForCausalLM.from_config(config, trust_remote_code=True)
    std = new.model.embedding.weight.std().item()
    width = config.hidden_size
    tied = new.get_output_embeddings() is None
    assert abs(std / (width**-0.5 if tied else 1) - 1) < 0.05, f"new weights are not drawn as the program says: {std}"


def check_mixed(folders):
    """Expects that weights of another design are an error."""
    mixed = folders[0] / "mixed"
    shutil.copytree(folders[0] / "hf", mixed)
    shutil.copy(folders[1] / "hf" / "model.safetensors", mixed)
    expect_refused("the weights are not those of this design", lambda: load(mixed))


def main(folders):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    for folder in folders:
        check(folder)
        print(f"ok {folder.name}", flush=True)
    check_mixed(folders)


if __name__ == "__main__":
    main([Path(folder) for folder in sys.argv[1:]])
