// From the documentation, page "İş Takibi", as it stands there.

// 1. Bir işi takip etmeye başla
const trackJob = async (jobId) => {
  // İlk iş durumunu al
  const progress = await getJobProgress(jobId);
  console.log(`İş takip ediliyor: ${progress.jobName}`);
  console.log(`Mevcut ilerleme: ${progress.overallProgress.percentage}%`);

  // Gerçek zamanlı olaylara abone ol
  await subscribeToJobEvents(jobId);

  return progress;
};

// 2. Ayrıntılı iş ilerlemesini al
const getJobProgress = async (jobId) => {
  const response = await fetch(`/api/{tenantId}/{projectId}/execution/job/${jobId}/progress`, {
    headers: {
      'Authorization': `Bearer ${token}`
    }
  });

  return await response.json();
};

// 3. Gerçek zamanlı iş olaylarına abone ol
const subscribeToJobEvents = async (jobId) => {
  const response = await fetch(`/api/{tenantId}/{projectId}/execution/job/${jobId}/subscribe`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'Authorization': `Bearer ${token}`
    },
    body: JSON.stringify({
      subscriptionType: 'webhook',
      webhookUrl: 'https://your-app.com/webhooks/job-events',
      events: [
        'stageStarted',
        'stageCompleted',
        'progressUpdate',
        'error',
        'warning',
        'jobCompleted'
      ],
      filters: {
        minProgressIncrement: 10,
        includeDebugEvents: false,
        notifyOnErrors: true
      }
    })
  });

  const subscription = await response.json();
  console.log(`İş olaylarına abone olundu: ${subscription.subscriptionId}`);

  return subscription;
};

// 4. İş performans metriklerini al
const getJobMetrics = async (jobId) => {
  const response = await fetch(`/api/{tenantId}/{projectId}/execution/job/${jobId}/metrics?interval=5m&includeHistory=true`, {
    headers: {
      'Authorization': `Bearer ${token}`
    }
  });

  const metrics = await response.json();
  console.log('Performans Metrikleri:');
  console.log(`  CPU Kullanımı: ${metrics.currentMetrics.resourceUtilization.cpu.usage}%`);
  console.log(`  Bellek Kullanımı: ${metrics.currentMetrics.resourceUtilization.memory.used}`);
  console.log(`  İşleme Hızı: ${metrics.currentMetrics.processing.recordsPerSecond} kayıt/saniye`);

  return metrics;
};

// 5. İş yürütme günlüklerini al
const getJobLogs = async (jobId, level = 'INFO') => {
  const response = await fetch(`/api/{tenantId}/{projectId}/execution/job/${jobId}/logs?level=${level}&limit=100`, {
    headers: {
      'Authorization': `Bearer ${token}`
    }
  });

  const logs = await response.json();
  console.log(`${logs.logs.length} günlük girişi alındı`);

  // Son önemli günlükleri göster
  logs.logs.filter(log => log.level !== 'DEBUG').forEach(log => {
    console.log(`[${log.timestamp}] ${log.level}: ${log.message}`);
  });

  return logs;
};

// 6. Panelde birden fazla işi takip et
const trackMultipleJobs = async (jobIds) => {
  const response = await fetch(`/api/{tenantId}/{projectId}/execution/tracking/batch?jobIds=${jobIds.join(',')}&includeMetrics=true`, {
    headers: {
      'Authorization': `Bearer ${token}`
    }
  });

  const tracking = await response.json();
  console.log(`${tracking.jobCount} iş takip ediliyor:`);

  tracking.jobs.forEach(job => {
    console.log(`  ${job.jobName}: ${job.status} (${job.progress}%)`);
  });

  return tracking;
};

// 7. İş zaman çizelgesini izle
const getJobTimeline = async (jobId) => {
  const response = await fetch(`/api/{tenantId}/{projectId}/execution/job/${jobId}/timeline?includeSubEvents=true&granularity=minutes`, {
    headers: {
      'Authorization': `Bearer ${token}`
    }
  });

  const timeline = await response.json();
  console.log('İş Zaman Çizelgesi:');

  timeline.timeline.forEach(event => {
    console.log(`[${event.timestamp}] ${event.eventType}: ${event.description}`);
  });

  return timeline;
};

// Kapsamlı takip iş akışını çalıştır
const runTrackingWorkflow = async (jobId) => {
  try {
    console.log('Kapsamlı iş takibi başlatılıyor...');

    // İş ilerlemesini takip et
    const progress = await trackJob(jobId);

    // Performans metriklerini al
    const metrics = await getJobMetrics(jobId);

    // Yürütme günlüklerini al
    const logs = await getJobLogs(jobId, 'WARN');

    // Zaman çizelgesini al
    const timeline = await getJobTimeline(jobId);

    // Tamamlanana kadar izle
    const monitoring = setInterval(async () => {
      const currentProgress = await getJobProgress(jobId);

      if (currentProgress.status === 'Completed') {
        console.log('İş başarıyla tamamlandı!');
        clearInterval(monitoring);

        // Son metrikleri al
        const finalMetrics = await getJobMetrics(jobId);
        console.log(`Son verimlilik: ${finalMetrics.performanceTrends.overallEfficiency}`);

      } else if (currentProgress.status === 'Failed') {
        console.log('İş başarısız oldu!');
        clearInterval(monitoring);

        // Hata günlüklerini al
        const errorLogs = await getJobLogs(jobId, 'ERROR');
        console.log('Hata detayları:', errorLogs.logs);
      } else {
        console.log(`İlerleme güncellemesi: ${currentProgress.overallProgress.percentage}%`);
      }
    }, 30000); // Her 30 saniyede bir kontrol et

  } catch (error) {
    console.error('Takip iş akışı başarısız oldu:', error);
  }
};

// Takibi başlat
runTrackingWorkflow('cc0e8400-e29b-41d4-a716-446655440000');
