"""Examples for the help of each command; a test parses them."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "": (
        "cspbench demo",
        "cspbench params csdarknet53 csresnext50",
        "cspbench eval-imagenet ILSVRC2012_val -m csdarknet53 --weights csdarknet53.weights",
    ),
    "list": ("cspbench list --table imagenet-big", "cspbench list --models --format csv"),
    "params": (
        "cspbench params csdarknet53 csresnext50",
        "cspbench params --cfg mine.cfg --size 416",
        "cspbench params csdarknet53 --against csdarknet53.cfg",
        "cspbench params --all --save",
    ),
    "show": (
        "cspbench show csdarknet53",
        "cspbench show coco-loss:cspresnext50-panet-spp-512-ciou --recipe",
        "cspbench show csdarknet53 --out graph.svg",
        "cspbench show yolox-s --weights yolox_s.pth --assign 000000000139.jpg --data coco",
    ),
    "eval-imagenet": (
        "cspbench eval-imagenet --sample",
        "cspbench eval-imagenet ILSVRC2012_val -m csresnext50 --limit 1000",
        "cspbench eval-imagenet ILSVRC2012_val --cfg mine.cfg --weights mine.weights --explain",
        "cspbench eval-imagenet ILSVRC2012_val -m csresnext50 --precision bf16 --flips",
    ),
    "eval-coco": (
        "cspbench eval-coco --sample --nms 0.45,0.6",
        "cspbench eval-coco coco --cfg mine.cfg --weights mine.weights --per-class --out results",
        "cspbench eval-coco voc.data --cfg mine.cfg --weights mine.weights --map voc11",
        "cspbench eval-coco coco -m yolox-nano --weights yolox_nano.pth --limit 500 --explain",
    ),
    "predict": (
        "cspbench predict photo.jpg -m csresnext50 --weights csresnext50.weights",
        "cspbench predict photos --cfg mine.cfg --weights mine.weights --draw --save-txt",
        "cspbench predict - -m csdarknet53-panet-spp --format json",
    ),
    "export": (
        "cspbench export csresnext50 --out csresnext50.onnx --check",
        "cspbench export --cfg mine.cfg --weights mine.weights --out mine.onnx --nms --check",
        "cspbench export yolox-s --weights cspdarknet-s.pth --to yolox-backbone --fold-pixels imagenet --out s.pth",
    ),
    "speed": (
        "cspbench speed --table coco-cpu",
        "cspbench speed yolov3-tiny --cfg mine.cfg --precision fp32 --precision bf16 --compile",
    ),
    "train": (
        "cspbench train csresnext50 --data ILSVRC2012 --run csresnext50-seed0",
        "cspbench train imagenet-augmentation:cspresnext-50-cutmix --data ILSVRC2012 --preview pictures",
        "cspbench train --cfg mine.cfg --data mine.data --weights yolov4.conv.137 --set learning_rate=0.001",
    ),
    "study": (
        "cspbench study imagenet-activation --run activation --budget 30 --processes 2",
        "cspbench study coco-loss coco-nms --seeds 5 --shard 1/4 --run /shared/loss",
        "cspbench study imagenet-smoothing --data ILSVRC2012 --model csresnext50 --width 0.25 --size 128",
    ),
    "analyze": ("cspbench analyze runs/a --draw worst:10 --out errors",),
    "score": (
        "cspbench score runs --nms 0.45,0.5,0.55",
        "cspbench score coco_results.json --data coco --per-class",
    ),
    "compare": ("cspbench compare runs/a runs/b",),
    "report": ("cspbench report runs --out report.html", "cspbench report --only off"),
    "ci": ("cspbench ci --baseline git:origin/main --junit cspbench.xml",),
    "demo": ("cspbench demo --out results",),
}
