#!/usr/bin/env bash
# Searches cells on this machine's processor, trains them from scratch and tests them, in eight or nine minutes:
# recurrent ones on the text that comes with Python, then convolutional ones on scikit-learn's
# handwritten digits, whose network it exports and asks what a picture shows. It says at each stage
# what it does, how long that takes and what the figures mean:
#
#   tools/quickstart.sh
#   tools/quickstart.sh --seed=1       ... further flags go to searches and trainings
#
# Makes .venv (tools/venv.sh) where it is missing. The runs are left under runs/ in the current
# folder; the same command goes on with them where they were stopped.
set -euo pipefail

ticker=
# While a stage goes on, says every few seconds that it does; on a terminal searches and trainings
# have a bar for that.
tick() {
  if [[ -t 2 && ${1:-} != always ]]; then
    return
  fi
  local began=$SECONDS
  (
    exec 2>/dev/null # of the shell too, which may complain when it is stopped
    while sleep 8 >/dev/null; do
      echo "  ... $((SECONDS - began)) s"
    done
  ) &
  ticker=$!
}

stop_ticking() {
  if [[ -n $ticker ]]; then
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    ticker=
  fi
}
trap stop_ticking EXIT

# stage NUMBER TITLE TIME, and what it does on standard input.
stage() {
  printf '\n== %s of 9: %s (%s)\n' "$1" "$2" "$3"
  sed 's/^/   /'
  echo
  tick "${4:-}"
}

explain() {
  stop_ticking
  echo
  sed 's/^/   /'
}

echo "Nine stages; the times are those of two idle cores."
stage 1 "Installing" "a few minutes the first time, none after that" always <<'END'
The package and what it needs go into .venv, a Python environment of this folder.
END
source "$(dirname "${BASH_SOURCE[0]}")/venv.sh"
stop_ticking

main() {
  "$venv/bin/python" -m tf_darts.main "$@"
}

# Runs with further flags are other runs.
flags=$(printf '%s' "$*" | tr -c '[:alnum:]' _)
found=runs/quickstart_search$flags trained=runs/quickstart_train$flags
stage 2 "Searching a recurrent cell on a text" "2 to 3 minutes" <<'END'
A supernet computes every candidate operation on every edge, mixed by weights made of alpha.
Alpha learns from validation data while the network's weights learn from training data. The
first step takes longest: it is compiled. An epoch's line has the cell that is ahead.
END
main --flagfile="$root/flags/quickstart.flags" --run_dir="$found" "$@"
explain <<'END'
Perplexity: among how many words the network is in doubt, on average; lower is better. The
supernet's says little about its cell (here it is even above that of word frequencies alone,
docs/concepts.md says why), and the cell alone is worse, since these weights were learnt for
the mixture: so a network of the cell is trained from scratch next.
Entropy: how undecided alpha is; it began at ln 5 = 1.61, where all operations are equal.
END

stage 3 "Training a network of that cell" "half a minute" <<'END'
The weights begin at random; the cell stays as it is.
END
main --flagfile="$root/flags/quickstart_train.flags" --run_dir="$trained" \
  --genotype="$found/genotype.json" "$@"
explain <<'END'
The line "The best of" compares the validation perplexity with that of word frequencies alone:
what the network gains on it, it has learnt about the order of words.
END

stage 4 "Testing it, once" "ten seconds" always <<'END'
The test part of the text has not been read so far, and its score is taken once and kept.
END
main --mode=test --run_dir="$trained"
explain <<'END'
This is the figure that counts. It is close to the validation perplexity where nothing was
chosen by luck.
END

found=runs/quickstart_search_images$flags trained=runs/quickstart_train_images$flags
stage 5 "Searching convolutional cells on handwritten digits" "a minute" <<'END'
There are two kinds of cell now: the normal one, and one that halves the resolution.
END
main --flagfile="$root/flags/quickstart_images.flags" --run_dir="$found" "$@"
explain <<'END'
Accuracy: the share of pictures that are named right, in percent; higher is better. A guess
that always names the most frequent digit has the accuracy in brackets.
END

stage 6 "Training a network of those cells" "half a minute" <<'END'
Again from random weights, with twice the channels.
END
main --flagfile="$root/flags/quickstart_train_images.flags" --run_dir="$trained" \
  --genotype="$found/genotype.json" "$@"
explain <<'END'
One cell of one search is not a result: other seeds find others. --mode=select compares them.
END

stage 7 "Testing it, once" "ten seconds" always <<'END'
On digits that neither the search nor the training has seen.
END
main --mode=test --run_dir="$trained"
stop_ticking

exported=runs/quickstart_model$flags
stage 8 "Exporting the network" "half a minute, none the second time" always <<'END'
A SavedModel, as TensorFlow Serving takes it, with a model card; it is loaded again and must
answer as the network does.
END
if [[ ! -d $exported ]]; then
  main --mode=export --run_dir="$trained" --export_dir="$exported" # the network of the digits
fi
stop_ticking

stage 9 "Asking it what a picture shows" "ten seconds" always <<'END'
The picture docs/images/zero.png goes to the exported model as a request to a server would.
END
"$venv/bin/python" "$root/tools/answer_request.py" --export_dir="$exported" \
  --image="$root/docs/images/zero.png"
explain <<'END'
"top_labels" are the likeliest digits, the first of which is the answer; "top_probabilities"
say how sure the network is of each.
END

program=$(printf %q "$venv/bin/tf-darts")
folder=$(printf %q "$found")
cat <<END

== What to try next

   See the cells over the epochs:       $folder/report.html (in a browser)
   See the curves in a browser:         $(printf %q "$venv/bin/tensorboard") --logdir=runs --samples_per_plugin=images=100
   Let another method search:           $program --flagfile=$(printf %q "$root/flags/quickstart_images.flags") \\
                                          --method=gdas --run_dir=runs/quickstart_gdas
   See what a search may be told:       $program --help --mode=search --dataset=digits
   Search on your own pictures:         docs/own_data.md (a folder for each class is enough)
   Compare searches with random cells:  docs/studies.md
   Repeat the paper's experiments:      docs/reproducing.md
END
