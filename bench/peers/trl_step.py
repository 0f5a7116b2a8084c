"""TRL's SDFTTrainer on the work of `bench/step.py`: reads JSON on standard input, prints seconds per step.

Runs in TRL's own environment and imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from itertools import pairwise
from typing import Any


def main() -> None:
    work: dict[str, Any] = json.load(sys.stdin)
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from trl.experimental.sdft import SDFTConfig, SDFTTrainer

    torch.set_num_threads(work["threads"])
    rows = [
        {"prompt": [{"role": "user", "content": text}], "privileged_context": work["session"]}
        for text in work["requests"]
    ]
    begun: list[float] = []

    class Timed(SDFTTrainer):
        def training_step(self, *arguments: Any, **named: Any) -> Any:
            begun.append(time.perf_counter())  # from one beginning to the next: the optimizer's part, too
            return super().training_step(*arguments, **named)

    with tempfile.TemporaryDirectory() as folder:
        trainer = Timed(
            model=work["model"],
            args=SDFTConfig(
                output_dir=folder,
                model_init_kwargs={"dtype": work["dtype"]},
                distillation_mode="full_logits",
                distillation_alpha=0.0,  # forward KL
                distillation_is_clip=None,
                teacher_prompt_template="{privileged_context}\n\n{prompt}",
                max_prompt_length=None,
                per_device_train_batch_size=work["batch"],
                num_generations=1,
                max_completion_length=work["tokens"],
                generation_kwargs={"min_new_tokens": work["tokens"]},
                learning_rate=5e-4,
                max_steps=work["steps"] + 1,
                bf16=False,  # the model is in bfloat16 already
                use_cpu=not torch.cuda.is_available(),
                report_to=[],
                logging_strategy="no",
                save_strategy="no",
                gradient_checkpointing=False,
                disable_tqdm=True,
                seed=0,
            ),
            train_dataset=Dataset.from_list(rows * (work["steps"] + 1)),
            peft_config=LoraConfig(r=16, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"),
        )
        trainer.train()
    import resource

    seconds = [b - a for a, b in pairwise(begun)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak_memory_bytes": peak}))


if __name__ == "__main__":
    main()
