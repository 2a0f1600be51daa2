#!/usr/bin/env python3
"""The peer of bench/train.cc: the same models as one would write them in PyTorch, trained eagerly.

Same shapes, same number of parameters, same step (forward, backward, clipping, AdamW). What idiomatic code may choose (fused or
for-each AdamW, grouped keys repeated or left to the kernel) is tried in the warm-up and the faster one is taken. Prints one JSON
object a line and takes the orders of bench/train.cc with --serve: `steps N`.
"""

import argparse
import itertools
import json
import math
import sys
import time
import warnings

warnings.filterwarnings("ignore", message="Failed to initialize NumPy")

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402


class GPT2Attention(nn.Module):
    def __init__(self, width, heads=4):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x, mask):
        B, T, D = x.shape
        q, k, v = (y.view(B, T, self.heads, -1).transpose(1, 2) for y in self.qkv(x).split(D, dim=-1))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        return self.out(y.transpose(1, 2).reshape(B, T, D))


class GPT2Block(nn.Module):
    def __init__(self, width, scale):
        super().__init__()
        inner = int(width * (4 * scale))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = GPT2Attention(width)
        self.mlp = nn.Sequential(nn.Linear(width, inner, bias=False), nn.GELU(), nn.Linear(inner, width, bias=False))

    def forward(self, x, mask):
        x = x + self.attention(self.norm1(x), mask)
        return x + self.mlp(self.norm2(x))


class GPT2(nn.Module):
    def __init__(self, width, vocab, scale, layers=8, positions=1024):
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.positions = nn.Embedding(positions, width)
        self.blocks = nn.ModuleList(GPT2Block(width, scale) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab, bias=False)
        self.head.weight = self.tokens.weight
        nn.init.normal_(self.tokens.weight, std=0.02)

    def forward(self, tokens, position, mask):
        x = self.tokens(tokens) + self.positions(position)
        for block in self.blocks:
            x = block(x, mask)
        return self.head(self.norm(x))


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class LlamaAttention(nn.Module):
    grouped_by_kernel = False  # True: keys are shared in the attention kernel; False: they are repeated before it

    def __init__(self, width, heads=4, key_heads=2):
        super().__init__()
        self.size = width // heads
        self.repeat = heads // key_heads
        self.q = nn.Linear(width, heads * self.size, bias=False)
        self.k = nn.Linear(width, key_heads * self.size, bias=False)
        self.v = nn.Linear(width, key_heads * self.size, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x, cos, sin, mask):
        B, T, D = x.shape
        q, k, v = (f(x).view(B, T, -1, self.size).transpose(1, 2) for f in (self.q, self.k, self.v))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        grouped = self.grouped_by_kernel
        if not grouped:
            k, v = (y.repeat_interleave(self.repeat, dim=1) for y in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=grouped)
        return self.out(y.transpose(1, 2).reshape(B, T, D))


class SwiGLU(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.gate = nn.Linear(width, inner, bias=False)
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class LlamaBlock(nn.Module):
    def __init__(self, width, scale):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width, eps=1e-6), nn.RMSNorm(width, eps=1e-6)
        self.attention = LlamaAttention(width)
        self.mlp = SwiGLU(width, int(width * (8 / 3 * scale)))

    def forward(self, x, cos, sin, mask):
        x = x + self.attention(self.norm1(x), cos, sin, mask)
        return x + self.mlp(self.norm2(x))


class Llama(nn.Module):
    def __init__(self, width, vocab, scale, layers=8, longest=4096, heads=4):
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.blocks = nn.ModuleList(LlamaBlock(width, scale) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.head = nn.Linear(width, vocab, bias=False)
        size = width // heads
        rates = 10000 ** (-torch.arange(0, size, 2) / size)
        angles = torch.outer(torch.arange(longest), rates)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, tokens, position, mask):
        x = self.tokens(tokens)
        cos, sin = (table[position].unsqueeze(-3) for table in (self.cos, self.sin))
        for block in self.blocks:
            x = block(x, cos, sin, mask)
        return self.head(self.norm(x))


MODELS = {"gpt2": GPT2, "llama": Llama}


def make_optimizer(model, **options):
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), **options)


class Trainer:
    def __init__(self, options):
        self.o = options
        torch.manual_seed(1)
        self.model = MODELS[options.design](options.width, options.vocab, options.free_scale)
        self.optimizer = make_optimizer(self.model)

    def random_batch(self):
        """Returns tokens, targets, positions in the document, and the start of each position's document (None: one document a row)."""
        B, T = self.o.batch, self.o.seq
        tokens, targets = torch.randint(self.o.vocab, (2, B, T))
        if not self.o.documents:
            return tokens, targets, torch.arange(T), None
        begins = torch.rand(B, T) < 0.01  # as often as in bench/train.cc
        index = torch.arange(T)
        start = torch.where(begins, index, 0).cummax(dim=1).values
        return tokens, targets, index - start, start

    def step(self, batch):
        tokens, targets, position, start = batch
        mask = None
        if start is not None:
            index = torch.arange(self.o.seq)
            mask = ((index <= index[:, None]) & (index >= start[:, :, None])).unsqueeze(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.o.dtype == "bf16"):
            logits = self.model(tokens, position, mask)
            loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()

    def steps(self, count):
        """Returns the seconds of each step, and the last loss."""
        batches = [self.random_batch() for _ in range(count)]
        seconds = []
        for batch in batches:
            start = time.perf_counter()
            loss = self.step(batch)
            seconds.append(time.perf_counter() - start)
        return seconds, loss

    def choose(self, tries):
        """Selects the fastest optimizer and attention, each by its best of 2 * `tries` steps, and returns their names. This also warms up."""
        forms = list(itertools.product(({"fused": True}, {"foreach": True}),
                                      (False, True) if self.o.design == "llama" else (False,)))
        best = {}
        for _ in range(2):  # Each form runs twice, so that the first one does not pay for the warm-up.
            for number, (optimizer, grouped) in enumerate(forms):
                self.use(optimizer, grouped)
                best[number] = min([best.get(number, math.inf), *self.steps(tries)[0]])
        optimizer, grouped = forms[min(best, key=best.get)]
        self.use(optimizer, grouped)
        chosen = {"optimizer": next(iter(optimizer))}
        if self.o.design == "llama":
            chosen["keys"] = "grouped by the kernel" if grouped else "repeated"
        return chosen

    def use(self, optimizer, grouped):
        """`optimizer`: options of AdamW; `grouped`: the attention kernel shares keys among heads, instead of repeated keys."""
        self.optimizer = make_optimizer(self.model, **optimizer)
        LlamaAttention.grouped_by_kernel = grouped


def say(**line):
    print(json.dumps(line), flush=True)


def profile(trainer, options):
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=options.shapes) as p:
        seconds, _ = trainer.steps(options.steps)
    table = p.key_averages(group_by_input_shape=options.shapes)
    print(table.table(sort_by="self_cpu_time_total", row_limit=options.rows, max_name_column_width=50))
    print(f"times above are of {options.steps} steps; a step takes {1e3 * sum(seconds) / len(seconds):.1f} ms")


def serve(trainer, options):
    for line in sys.stdin:
        words = line.split()
        if len(words) != 2 or words[0] != "steps" or not words[1].isdigit() or int(words[1]) < 1:
            sys.exit(f"train.py: unknown order '{line.strip()}'; expected `steps N` with N > 0")
        report(trainer, int(words[1]), options)


def report(trainer, count, options):
    seconds, loss = trainer.steps(count)
    say(kind="steps", tokens_per_step=options.batch * options.seq, seconds=seconds, loss=loss)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--design", choices=sorted(MODELS), default="llama")
    # The defaults of width and scale are those of Llama at 1M parameters.
    parser.add_argument("--width", type=int, default=72, help="D, as bench_train prints it")
    parser.add_argument("--free-scale", type=float, default=0.863975615480919, help="as bench_train prints it")
    parser.add_argument("--vocab", type=int, default=4096)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seq", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=2, help="steps of each form in each of two rounds, to choose the fastest")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rows", type=int, default=25, help="rows of a profile")
    parser.add_argument("--dtype", choices=["float32", "bf16"], default="float32", help="bf16: autocast")
    parser.add_argument("--documents", action="store_true", help="sequences hold several documents")
    parser.add_argument("--serve", action="store_true", help="take orders from standard input")
    parser.add_argument("--profile", action="store_true", help="print where the time goes, by operator")
    parser.add_argument("--shapes", action="store_true", help="the same, by operator and shapes")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    trainer = Trainer(options)
    chosen = trainer.choose(options.warmup)
    say(kind="model", design=options.design, params=sum(p.numel() for p in trainer.model.parameters()),
        torch=torch.__version__, dtype=options.dtype, threads=torch.get_num_threads(), **chosen)
    if options.serve:
        serve(trainer, options)
    elif options.profile or options.shapes:
        profile(trainer, options)
    else:
        report(trainer, options.steps, options)


if __name__ == "__main__":
    main()
