"""The network alone: no files, no command line, no printing.

Where the boxes of the paper's figure 2 and equations are:

    router                      experts.MoEAdapter.route
    LoRA experts                experts.MoEAdapter.mix_experts
    MoE adapter                 experts.MoEAdapter
    FOFS                        experts.fofs_matrices
    ETF loss                    losses.etf_loss
    balance loss                losses.balance_loss
    segmentation loss           losses.segmentation_loss
    image loss                  losses.image_loss
    patch average aggregation   aggregation.aggregate
    projections                 heads.Projection
    image head                  heads.ImageHead
    text layer                  heads.TextLayer
    learned text                heads.LearnedText
    self-comparison             self_comparison.SelfComparison
    second tower                detail.Detail
    prompt ensemble             prompts.sentences
    vision tower                backbones.towers.VisionTower
    text tower                  backbones.towers.TextTower
    CLIP's towers               backbones.clip.build
    built-in model's towers     backbones.mini.build
    table of backbones          backbones.table.FAMILIES
    trained parts together      adapters.Adapters
    assembled network           moeclip.MoECLIP
    temperature of CLIP         scoring.LOGIT_SCALE
    anomaly map                 scoring.anomaly_maps
    image score                 scoring.score_scales
    deployed score              scoring.score
"""
