"""What people write today: import transformers and render six conversations with each template named on the command line."""

import sys

from transformers.utils.chat_template_utils import render_jinja_template

USER = {"role": "user", "content": "How do I boil an egg?"}
ASSISTANT = {"role": "assistant", "content": "Eight minutes in boiling water."}
SYSTEM = {"role": "system", "content": "You are a cook."}
PARTS = {"role": "user", "content": [{"type": "text", "text": "How do I boil an egg?"}]}
CONVERSATIONS = (
    [USER],
    [USER, ASSISTANT],
    [USER, ASSISTANT, USER],
    [SYSTEM, USER],
    [SYSTEM, USER, ASSISTANT],
    [PARTS],
)


def main() -> None:
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as stream:
            source = stream.read()
        for conversation in CONVERSATIONS:
            try:
                render_jinja_template([conversation], chat_template=source, bos_token="<s>", eos_token="</s>")
            except Exception as error:  # a template may refuse a conversation; here that is an answer like any other
                print(path, error)


if __name__ == "__main__":
    main()
